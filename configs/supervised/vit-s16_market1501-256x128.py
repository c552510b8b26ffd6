# Published: 92.2 mAP, 96.3 Rank-1.
_base_ = [
    '../_base_/models/reid_vit_s16.py',
    '../_base_/datasets/market1501.py',
    '../_base_/schedules/sgd_120e.py',
    '../_base_/default_runtime.py',
]

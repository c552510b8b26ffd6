# Published: 69.1 mAP, 86.5 Rank-1.
_base_ = [
    '../_base_/models/reid_vit_s16.py',
    '../_base_/datasets/msmt17.py',
    '../_base_/schedules/sgd_120e.py',
    '../_base_/default_runtime.py',
]

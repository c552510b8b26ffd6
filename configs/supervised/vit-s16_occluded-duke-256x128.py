# Same recipe as MSMT17; 64.3 mAP was reported by others.
_base_ = [
    '../_base_/models/reid_vit_s16.py',
    '../_base_/datasets/occluded_duke.py',
    '../_base_/schedules/sgd_120e.py',
    '../_base_/default_runtime.py',
]

# Same recipe as MSMT17; no published figure.
_base_ = [
    '../_base_/models/reid_vit_s16.py',
    '../_base_/datasets/cuhk03_np.py',
    '../_base_/schedules/sgd_120e.py',
    '../_base_/default_runtime.py',
]

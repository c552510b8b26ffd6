# Where `../uda/uda_vit-s16_market1501-to-msmt17-256x128.py` starts; there is no published figure.
_base_ = [
    '../_base_/models/reid_vit_s16.py',
    '../_base_/datasets/market1501.py',
    '../_base_/schedules/sgd_120e.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(fusion='mean'))

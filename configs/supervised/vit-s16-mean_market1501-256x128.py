# Source model of `../uda/uda_vit-s16_market1501-to-msmt17-256x128.py`; no published figure.
_base_ = './vit-s16_market1501-256x128.py'

model = dict(head=dict(fusion='mean'))

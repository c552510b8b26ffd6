# PASS with the convolutional IBN stem (ICS), which helps on MSMT17; no published figure.
_base_ = './pass_vit-s16_lup.py'

model = dict(backbone=dict(stem='ics'))
# Batch statistics over all GPUs.
sync_bn = 'torch'

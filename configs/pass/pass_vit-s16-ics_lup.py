# PASS with the convolutional IBN stem (ICS), which helps on MSMT17; no published row.
_base_ = './pass_vit-s16_lup.py'

model = dict(backbone=dict(stem='ics'))
# Batch statistics over all processes.
sync_bn = 'torch'

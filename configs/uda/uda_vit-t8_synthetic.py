# UDA from labelled domain a to unlabelled domain b, on a CPU.
_base_ = ['../usl/usl_vit-t8_synthetic.py']

init_cfg = dict(checkpoint='work_dirs/vit-t8-all_synthetic/epoch_30.pth')
model = dict(backbone=dict(init_cfg=init_cfg), neck=dict(multi_neck=True))

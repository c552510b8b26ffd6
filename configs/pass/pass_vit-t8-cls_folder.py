# Control for pass_vit-t8_folder.py without part tokens; same number and size of views.
_base_ = './pass_vit-t8_synthetic.py'

model = dict(backbone=dict(num_parts=0))
load, crop, pack = _base_.train_pipeline
crop = dict(crop, num_parts=0, num_local_whole=6, local_scale=(0.15, 0.45))
dataset = dict(_delete_=True, type='LUPerson', data_root='data/crops')
train_dataloader = dict(dataset=dict(dataset, pipeline=[load, crop, pack]))
param_scheduler = [
    dict(_base_.param_scheduler[0], end=300),
    *(dict(cosine, end=20, T_max=20) for cosine in _base_.param_scheduler[1:]),
]
train_cfg = dict(max_epochs=20)

# PASS on a folder of some thousand crops, on a CPU: pass it as `--data-root`.
_base_ = './pass_vit-t8_synthetic.py'

dataset = dict(_delete_=True, type='LUPerson', data_root='data/crops')
train_dataloader = dict(dataset=dict(dataset, pipeline=_base_.train_pipeline))
param_scheduler = [
    dict(_base_.param_scheduler[0], end=300),
    *(dict(cosine, end=20, T_max=20) for cosine in _base_.param_scheduler[1:]),
]
train_cfg = dict(max_epochs=20)

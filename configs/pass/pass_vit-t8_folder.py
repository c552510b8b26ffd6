# PASS on a folder of some thousand crops, on a CPU: pass it as `--data-root`.
_base_ = './pass_vit-t8_synthetic.py'

dataset = dict(_delete_=True, type='LUPerson', data_root='data/crops')
train_dataloader = dict(dataset=dict(dataset, pipeline=_base_.train_pipeline))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-9, begin=0, end=300, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=0, end=20, T_max=20, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingWeightDecay',
        eta_min_ratio=10,
        begin=0,
        end=20,
        T_max=20,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=20)

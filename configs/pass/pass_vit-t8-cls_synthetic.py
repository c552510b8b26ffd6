# Control for pass_vit-t8_synthetic.py without part tokens; same number and size of views.
_base_ = './pass_vit-t8_synthetic.py'

model = dict(backbone=dict(num_parts=0))
train_pipeline = [
    dict(type='LoadPersonImage'),
    dict(
        type='PartAwareMultiCrop',
        num_parts=0,
        num_local_whole=6,
        global_size=(64, 32),
        local_size=(24, 24),
        global_scale=(0.8, 1.0),
        local_scale=(0.15, 0.45),
        aspect_ratio=(0.45, 0.6),
    ),
    dict(type='PackViews'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

# Unlabelled pedestrians, rendered on first use, cut into small views.
train_pipeline = [
    dict(type='LoadPersonImage'),
    dict(
        type='PartAwareMultiCrop',
        num_parts=3,
        local_per_part=2,
        global_size=(64, 32),
        local_size=(24, 24),
        global_scale=(0.8, 1.0),
        local_scale=(0.3, 0.9),
        aspect_ratio=(0.45, 0.6),
    ),
    dict(type='PackViews'),
]
train_dataloader = dict(
    batch_size=64,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='ResumableSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='SyntheticReID',
        data_root='data/synthetic',
        domain='a',
        split='unlabelled',
        pipeline=train_pipeline,
    ),
)

# Unlabelled person crops: 2 global and 3 x 3 local views of each.
# data_root: the LMDB as distributed, or a folder of images, flat or nested.
train_pipeline = [
    dict(type='LoadPersonImage'),
    dict(
        type='PartAwareMultiCrop',
        num_parts=3,
        local_per_part=3,
        global_size=(256, 128),
        local_size=(128, 64),
        global_scale=(0.4, 1.0),
        local_scale=(0.1, 0.8),
    ),
    dict(type='PackViews'),
]
train_dataloader = dict(
    batch_size=128,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type='ResumableSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='LUPerson', data_root='data/LUPerson', pipeline=train_pipeline),
)

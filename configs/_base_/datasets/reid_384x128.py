# Labelled crops at 384x128 pixels; a config adds type and data_root of the data set.
train_pipeline = [
    dict(type='LoadPersonImage'),
    dict(type='Resize', scale=(128, 384), interpolation='bicubic', backend='pillow'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='RandomCrop', crop_size=(384, 128), padding=10),
    dict(type='PackInputs', meta_keys=('img_path', 'cam_id', 'is_query', 'sample_idx')),
]
test_pipeline = [
    dict(type='LoadPersonImage'),
    dict(type='Resize', scale=(128, 384), interpolation='bilinear', backend='pillow'),
    dict(type='PackInputs', meta_keys=('img_path', 'cam_id', 'is_query', 'sample_idx')),
]

train_dataloader = dict(
    batch_size=64,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='IdentitySampler', images_per_id=4, batches='published'),
    dataset=dict(split='train', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=256,
    num_workers=8,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(split='test', pipeline=test_pipeline),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='ReIDMetric')
test_evaluator = val_evaluator

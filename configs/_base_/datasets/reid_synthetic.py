# Labelled rendered pedestrians at 64x32 pixels, rendered on first use.
pack = dict(type='PackInputs', meta_keys=('img_path', 'cam_id', 'is_query', 'sample_idx'))
train_pipeline = [
    dict(type='LoadPersonImage'),
    dict(type='Resize', scale=(32, 64), interpolation='bicubic', backend='pillow'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='RandomCrop', crop_size=(64, 32), padding=3),
    pack,
]
test_pipeline = [
    dict(type='LoadPersonImage'),
    dict(type='Resize', scale=(32, 64), interpolation='bilinear', backend='pillow'),
    pack,
]
dataset = dict(type='SyntheticReID', data_root='data/synthetic', domain='a')

train_dataloader = dict(
    batch_size=64,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='IdentitySampler', images_per_id=4),
    dataset=dict(split='train', pipeline=train_pipeline, **dataset),
)
val_dataloader = dict(
    batch_size=100,
    num_workers=2,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(split='test', pipeline=test_pipeline, **dataset),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='ReIDMetric')
test_evaluator = val_evaluator

# Batches of 32 clusters x 8 images; the labels come from PseudoLabelHook.
pack = dict(type='PackInputs', meta_keys=('img_path', 'cam_id', 'is_query', 'sample_idx'))
train_pipeline = [
    dict(type='LoadPersonImage'),
    dict(type='Resize', scale=(128, 256), interpolation='bicubic', backend='pillow'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='RandomCrop', crop_size=(256, 128), padding=10),
    pack,
]
test_pipeline = [
    dict(type='LoadPersonImage'),
    dict(type='Resize', scale=(128, 256), interpolation='bicubic', backend='pillow'),
    pack,
]

# 256 images in total: with N GPUs, set 256 / N.
train_dataloader = dict(
    batch_size=256,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='CrossCameraIdentitySampler', images_per_id=8, iterations=200),
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

# The pipelines of `reid_256x128.py` for taller images, to be named by a leaf config.
pack = dict(type='PackInputs', meta_keys=('img_path', 'cam_id', 'is_query', 'sample_idx'))
train_pipeline_384 = [
    dict(type='LoadPersonImage'),
    dict(type='Resize', scale=(128, 384), interpolation='bicubic', backend='pillow'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='RandomCrop', crop_size=(384, 128), padding=10),
    pack,
]
test_pipeline_384 = [
    dict(type='LoadPersonImage'),
    dict(type='Resize', scale=(128, 384), interpolation='bilinear', backend='pillow'),
    pack,
]

# pass_vit-t8_synthetic.py, with the teacher's features evaluated after each epoch.
_base_ = './pass_vit-t8_synthetic.py'

val_dataloader = dict(
    batch_size=100,
    num_workers=2,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='SyntheticReID',
        data_root='data/synthetic',
        domain='a',
        split='test',
        pipeline=[
            dict(type='LoadPersonImage'),
            dict(type='Resize', scale=(32, 64), interpolation='bilinear', backend='pillow'),
            dict(type='PackInputs', meta_keys=('img_path', 'cam_id', 'is_query', 'sample_idx')),
        ],
    ),
)
val_evaluator = dict(type='ReIDMetric')
val_cfg = dict(type='ValLoop')
train_cfg = dict(val_interval=1)
test_dataloader, test_evaluator, test_cfg = val_dataloader, val_evaluator, dict(type='TestLoop')

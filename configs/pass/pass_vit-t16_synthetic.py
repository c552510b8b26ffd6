# PASS at a size that a laptop CPU trains within minutes, on rendered pedestrians.
_base_ = './pass_vit-s16_lup.py'

arch = dict(embed_dims=128, num_layers=4, num_heads=4, feedforward_channels=512)
model = dict(
    data_preprocessor=dict(
        brightness=0.15, contrast=0.15, saturation=0.1, hue=0.02, gray_prob=0.0,
        blur_sigma=(0.1, 0.7), global_solarize_prob=0.0,
    ),
    backbone=dict(
        arch=arch, img_size=(64, 32), patch_size=8, linear_std=0.08, token_std=0.5,
        position_std=0.2,
    ),
    neck=dict(hidden_channels=256, bottleneck_channels=64, out_channels=512, with_bn=True),
)
train_pipeline = [
    dict(type='LoadPersonImage'),
    dict(type='PartAwareMultiCrop', local_per_part=1, global_size=(64, 32), local_size=(32, 32),
         global_scale=(0.5, 1.0), local_scale=(0.3, 0.9), aspect_ratio=(0.4, 1.0)),
    dict(type='PackViews'),
]
train_dataloader = dict(batch_size=64, num_workers=2, dataset=dict(pipeline=train_pipeline, data_root='/tmp/synth/a/0b7bc3cd139e/unlabelled'))
optim_wrapper = dict(amp=None, optimizer=dict(lr=2e-3))
auto_scale_lr = dict(enable=False)
train_cfg = dict(max_epochs=4)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-9, begin=0, end=100, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=100, end=936, T_max=836, by_epoch=False),
    dict(type='CosineAnnealingWeightDecay', eta_min_ratio=10, begin=0, end=936, T_max=936, by_epoch=False),
]
custom_hooks = [
    dict(type='NonFiniteHook'),
    dict(type='TeacherHook', base_momentum=0.98, end_momentum=1.0),
    dict(type='PartSeparationHook', interval=50),
    dict(type='CollapseHook', interval=50),
    dict(type='ExportTeacherHook'),
]

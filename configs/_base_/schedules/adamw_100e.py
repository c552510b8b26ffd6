# Published recipe of PASS: AdamW, 10 epochs of linear warm-up, then a cosine, by iteration.
# The learning rate is for 256 images per optimizer step and scales with the actual number.
optim_wrapper = dict(
    type='AutoAmpOptimWrapper',
    amp='float16',
    constructor='GroupedOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=5e-4, weight_decay=0.04, fused=True),
    clip_grad=dict(type='per_parameter', max_norm=3.0),
    paramwise_cfg=dict(bias_decay_mult=0.0, norm_decay_mult=0.0, flat_decay_mult=0.0),
)
auto_scale_lr = dict(enable=True, base_batch_size=256)

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-9, begin=0, end=10, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        eta_min=1e-6,
        begin=10,
        end=100,
        T_max=90,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingWeightDecay',
        eta_min_ratio=10,
        begin=0,
        end=100,
        T_max=100,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type='ResumableEpochLoop', max_epochs=100)

custom_hooks = [
    dict(type='NonFiniteHook'),
    dict(type='TeacherHook', base_momentum=0.996, end_momentum=1.0),
    dict(type='FreezePrototypesHook', epochs=1),
    dict(type='PretrainMonitorHook', interval=50),
    dict(type='ViewsPictureHook'),
    dict(type='ExportTeacherHook'),
]

# Short pre-training on a CPU: 100 iterations of warm-up times a cosine over two epochs.
optim_wrapper = dict(
    type='AutoAmpOptimWrapper',
    amp=None,
    constructor='GroupedOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.04, fused=True),
    clip_grad=dict(type='per_parameter', max_norm=3.0),
    paramwise_cfg=dict(bias_decay_mult=0.0, norm_decay_mult=0.0, flat_decay_mult=0.0),
)
auto_scale_lr = dict(enable=False, base_batch_size=64)

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-9, begin=0, end=100, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=0, end=2, T_max=2, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingWeightDecay',
        eta_min_ratio=10,
        begin=0,
        end=2,
        T_max=2,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type='ResumableEpochLoop', max_epochs=2)

custom_hooks = [
    dict(type='NonFiniteHook'),
    dict(type='TeacherHook', base_momentum=0.98, end_momentum=1.0),
    dict(type='PretrainMonitorHook', interval=50, warmup=300),
    dict(type='ViewsPictureHook'),
    dict(type='ExportTeacherHook'),
]

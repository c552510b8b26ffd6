# Fine-tuning in seconds on a CPU.
optim_wrapper = dict(
    type='AutoAmpOptimWrapper',
    amp=None,
    constructor='GroupedOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=3e-3, weight_decay=0.05, fused=True),
)
auto_scale_lr = dict(enable=False, base_batch_size=64)

param_scheduler = [dict(type='WarmupCosineLR', T_max=30, warmup=3)]
train_cfg = dict(type='ResumableEpochLoop', max_epochs=30, val_interval=30)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

custom_hooks = [dict(type='NonFiniteHook')]

# Published recipe of supervised fine-tuning: batches of 16 identities x 4 images.
optim_wrapper = dict(
    type='AutoAmpOptimWrapper',
    amp='float16',
    constructor='GroupedOptimWrapperConstructor',
    optimizer=dict(type='SGD', lr=4e-4, momentum=0.9, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys={'.bias': dict(lr_mult=2.0)}),
)
auto_scale_lr = dict(enable=False, base_batch_size=64)

param_scheduler = [dict(type='WarmupCosineLR', T_max=120, warmup=20)]
# Tested once, after the last epoch. Selecting checkpoints on the test set, with
# `train_cfg.val_interval=10 default_hooks.checkpoint.save_best=reid/mAP`, biases the result.
train_cfg = dict(type='ResumableEpochLoop', max_epochs=120, val_interval=120)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

custom_hooks = [dict(type='NonFiniteHook')]

# Published recipe of USL and UDA: 50 epochs, float32, weight decay on all parameters.
optim_wrapper = dict(
    type='AutoAmpOptimWrapper',
    amp=None,
    constructor='GroupedOptimWrapperConstructor',
    optimizer=dict(type='SGD', lr=3.5e-4, momentum=0.9, weight_decay=5e-4),
)
auto_scale_lr = dict(enable=False, base_batch_size=256)

param_scheduler = [dict(type='StepLR', step_size=20, gamma=0.1)]
# The published figures are of the best of the checkpoints tested every 10 epochs:
# `train_cfg.val_interval=10 default_hooks.checkpoint.save_best=reid/mAP` does the same.
train_cfg = dict(type='ResumableEpochLoop', max_epochs=50, val_interval=50)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

custom_hooks = [dict(type='NonFiniteHook'), dict(type='EvaluationGainHook')]

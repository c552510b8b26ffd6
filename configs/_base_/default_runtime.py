# Shared by all runs.
custom_imports = dict(imports=['passreid.registry'], allow_failed_imports=False)
default_scope = 'passreid'

default_hooks = dict(
    runtime_info=dict(type='TrainingInfoHook'),
    random_state=dict(type='RandomStateHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='SafeCheckpointHook', interval=1, max_keep_ckpts=3),
    # RandomStateHook tells the sampler its epoch.
    sampler_seed=None,
    # Without it each process would validate with the batch statistics of its own images.
    sync_buffers=dict(type='SyncBuffersHook'),
    preemption=dict(type='PreemptionHook'),
)

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)

# Curves for TensorBoard, besides the log of the local backend (needs `pip install tensorboard`).
# tensorboard = True
visualizer = dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])
log_level = 'INFO'

randomness = dict(seed=0, deterministic=False)
launcher = 'none'
load_from = None
resume = False

# Backbones compiled by torch.compile, in training and in tests (needs a C++ compiler); a dict holds
# its arguments, such as dict(mode='max-autotune'). It takes minutes, and gains little on a CPU.
# compile = True

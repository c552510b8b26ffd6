# USL on rendered pedestrians of domain b, on a CPU.
_base_ = [
    '../_base_/models/cluster_vit_t8.py',
    '../_base_/datasets/reid_synthetic.py',
    '../_base_/schedules/adamw_30e.py',
    '../_base_/default_runtime.py',
]

sampler = dict(_delete_=True, type='CrossCameraIdentitySampler', images_per_id=4, iterations=30)
train_dataloader = dict(sampler=sampler, dataset=dict(domain='b'))
val_dataloader = dict(dataset=dict(domain='b'))
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=1e-3))
default_hooks = dict(
    pseudo_labels=dict(type='PseudoLabelHook', pipeline=_base_.test_pipeline, eps=0.5, k1=12)
)
custom_hooks = [dict(type='NonFiniteHook'), dict(type='EvaluationGainHook')]

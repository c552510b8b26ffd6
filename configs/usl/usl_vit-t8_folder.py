# USL on your own folder of some thousand unlabelled crops, on a CPU: pass it as `--data-root`.
_base_ = [
    '../_base_/models/cluster_vit_t8.py',
    '../_base_/datasets/reid_synthetic.py',
    '../_base_/schedules/adamw_30e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(pixels_of_weights=True),
    backbone=dict(init_cfg=dict(checkpoint='work_dirs/pass_vit-t8_folder/teacher_backbone.pth')),
    camera_memory=dict(type='CameraMemory', start_epoch=0),
)
dataset = dict(_delete_=True, type='LUPerson', data_root='data/crops')
sampler = dict(_delete_=True, type='CrossCameraIdentitySampler', images_per_id=4, iterations=None)
train_dataloader = dict(sampler=sampler, dataset=dict(dataset, pipeline=_base_.train_pipeline))
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [dict(type='WarmupCosineLR', T_max=12, warmup=1)]
train_cfg = dict(max_epochs=12)
hook = dict(type='PseudoLabelHook', pipeline=_base_.test_pipeline, eps=None, k1=None)
default_hooks = dict(pseudo_labels=dict(hook, standardize_cameras=True, patience=5))
# No labels, so no evaluation; docs/unlabelled.md shows how to add a labelled test set.
val_dataloader = val_evaluator = val_cfg = None
test_dataloader = test_evaluator = test_cfg = None

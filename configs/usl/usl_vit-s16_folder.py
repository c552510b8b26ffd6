# USL on your own folder of unlabelled crops, flat or nested: pass it as `--data-root`.
_base_ = [
    '../_base_/models/cluster_vit_s16.py',
    '../_base_/datasets/clusters_256x128.py',
    '../_base_/schedules/sgd_50e.py',
    '../_base_/default_runtime.py',
]

# Settings that fit the folder; the published recipe is that of usl_vit-s16_market1501-256x128.py.
model = dict(
    data_preprocessor=dict(pixels_of_weights=True),
    camera_memory=dict(type='CameraMemory', start_epoch=0),
)
dataset = dict(_delete_=True, type='LUPerson', data_root='data/crops')
train_dataloader = dict(
    sampler=dict(iterations=None), dataset=dict(dataset, pipeline=_base_.train_pipeline)
)
hook = dict(type='PseudoLabelHook', pipeline=_base_.test_pipeline, eps=None, k1=None)
default_hooks = dict(pseudo_labels=dict(hook, standardize_cameras=True, patience=10))
# No labels, so no evaluation; docs/unlabelled.md shows how to add a labelled test set.
val_dataloader = val_evaluator = val_cfg = None
test_dataloader = test_evaluator = test_cfg = None

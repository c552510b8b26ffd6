# USL on your own folder of unlabelled crops, flat or nested: pass it as `--data-root`.
_base_ = [
    '../_base_/models/cluster_vit_s16.py',
    '../_base_/datasets/clusters_256x128.py',
    '../_base_/schedules/sgd_50e.py',
    '../_base_/default_runtime.py',
]

dataset = dict(_delete_=True, type='LUPerson', data_root='data/crops')
train_dataloader = dict(dataset=dict(dataset, pipeline=_base_.train_pipeline))
default_hooks = dict(
    pseudo_labels=dict(type='PseudoLabelHook', pipeline=_base_.test_pipeline, eps=0.6)
)
# No labels, so no evaluation; docs/unlabelled.md shows how to add a labelled test set.
val_dataloader = val_evaluator = val_cfg = None
test_dataloader = test_evaluator = test_cfg = None

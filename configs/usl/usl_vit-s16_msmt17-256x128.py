# Published: 41.0 mAP, 67.0 Rank-1.
_base_ = [
    '../_base_/models/cluster_vit_s16.py',
    '../_base_/datasets/clusters_256x128.py',
    '../_base_/schedules/sgd_50e.py',
    '../_base_/default_runtime.py',
]

dataset = dict(type='MSMT17', data_root='data/MSMT17')
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)
default_hooks = dict(
    pseudo_labels=dict(type='PseudoLabelHook', pipeline=_base_.test_pipeline, eps=0.7)
)
model = dict(neck=dict(fusion='mean'))

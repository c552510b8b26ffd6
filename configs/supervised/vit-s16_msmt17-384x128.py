# Published: 71.7 mAP, 87.9 Rank-1.
_base_ = [
    '../_base_/models/reid_vit_s16.py',
    '../_base_/datasets/reid_384x128.py',
    '../_base_/schedules/sgd_120e.py',
    '../_base_/default_runtime.py',
]

dataset = dict(type='MSMT17', data_root='data/MSMT17')
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)
model = dict(backbone=dict(img_size=(384, 128)))

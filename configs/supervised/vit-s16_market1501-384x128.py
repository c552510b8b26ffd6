# Published: 92.6 mAP, 96.8 Rank-1.
_base_ = [
    '../_base_/models/reid_vit_s16.py',
    '../_base_/datasets/market1501.py',
    '../_base_/datasets/pipelines_384x128.py',
    '../_base_/schedules/sgd_120e.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(img_size=(384, 128)))
train_dataloader = dict(dataset=dict(pipeline={{_base_.train_pipeline_384}}))
val_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline_384}}))
test_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline_384}}))

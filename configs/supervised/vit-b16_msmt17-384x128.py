# Published: 74.3 mAP, 89.7 Rank-1.
_base_ = [
    '../_base_/models/reid_vit_s16.py',
    '../_base_/datasets/msmt17.py',
    '../_base_/datasets/pipelines_384x128.py',
    '../_base_/schedules/sgd_120e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        arch='deit-base',
        img_size=(384, 128),
        init_cfg=dict(checkpoint='work_dirs/pass_vit-b16_lup/teacher_backbone.pth'),
    ),
    head=dict(in_channels=768),
)
train_dataloader = dict(dataset=dict(pipeline={{_base_.train_pipeline_384}}))
val_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline_384}}))
test_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline_384}}))

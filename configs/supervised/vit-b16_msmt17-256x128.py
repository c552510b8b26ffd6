# Published: 71.8 mAP, 88.2 Rank-1.
_base_ = [
    '../_base_/models/reid_vit_s16.py',
    '../_base_/datasets/msmt17.py',
    '../_base_/schedules/sgd_120e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        arch='deit-base',
        init_cfg=dict(checkpoint='work_dirs/pass_vit-b16_lup/teacher_backbone.pth'),
    ),
    head=dict(in_channels=768),
)

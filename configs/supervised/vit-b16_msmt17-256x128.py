# Published: 71.8 mAP, 88.2 Rank-1.
_base_ = './vit-s16_msmt17-256x128.py'

model = dict(
    backbone=dict(
        arch='deit-base',
        init_cfg=dict(checkpoint='work_dirs/pass_vit-b16_lup/teacher_backbone.pth'),
    ),
    head=dict(in_channels=768),
)

# Published: 93.0 mAP, 96.8 Rank-1.
_base_ = './vit-s16_market1501-256x128.py'

model = dict(
    backbone=dict(
        arch='deit-base',
        init_cfg=dict(checkpoint='work_dirs/pass_vit-b16_lup/teacher_backbone.pth'),
    ),
    head=dict(in_channels=768),
)

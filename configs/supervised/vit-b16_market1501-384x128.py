# Published: 93.3 mAP, 96.9 Rank-1.
_base_ = './vit-s16_market1501-384x128.py'

model = dict(
    backbone=dict(
        arch='deit-base',
        init_cfg=dict(checkpoint='work_dirs/pass_vit-b16_lup/teacher_backbone.pth'),
    ),
    head=dict(in_channels=768),
)

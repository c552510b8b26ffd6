# PersonViT. Published: 88.1 mAP, 93.8 Rank-1.
_base_ = './vit-s16_dukemtmc-reid-256x128.py'

model = dict(
    # A plain ViT: the feature is [CLS].
    backbone=dict(
        arch='deit-base',
        num_parts=0,
        init_cfg=dict(checkpoint='personvit_base_lup.pth'),
    ),
    head=dict(in_channels=768, num_parts=0),
)

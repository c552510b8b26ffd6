# PersonViT. Published: 80.8 mAP, 92.0 Rank-1.
_base_ = './vit-s16_msmt17-256x128.py'

model = dict(
    # A plain ViT: the feature is [CLS].
    backbone=dict(
        arch='deit-base',
        num_parts=0,
        init_cfg=dict(checkpoint='personvit_base_lup.pth'),
    ),
    head=dict(in_channels=768, num_parts=0),
)

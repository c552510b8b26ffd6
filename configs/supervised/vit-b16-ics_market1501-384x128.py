# TransReID-SSL, convolutional stem. Published: 93.2 mAP, 96.7 Rank-1.
_base_ = './vit-s16_market1501-384x128.py'

model = dict(
    # A plain ViT: the feature is [CLS].
    backbone=dict(
        arch='deit-base',
        stem='ics',
        num_parts=0,
        init_cfg=dict(checkpoint='vit_base_ics_cfs_lup.pth'),
    ),
    head=dict(in_channels=768, num_parts=0),
)

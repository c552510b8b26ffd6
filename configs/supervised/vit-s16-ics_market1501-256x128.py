# TransReID-SSL, convolutional stem. Published: 91.3 mAP, 96.2 Rank-1.
_base_ = './vit-s16_market1501-256x128.py'

model = dict(
    # A plain ViT: the feature is [CLS].
    backbone=dict(stem='ics', num_parts=0, init_cfg=dict(checkpoint='vit_small_ics_cfs_lup.pth')),
    head=dict(num_parts=0),
)

# TransReID-SSL, convolutional stem. Published: 89.6 mAP, 95.3 Rank-1.
_base_ = './usl_vit-s16_market1501-256x128.py'

model = dict(
    # A plain ViT: the feature is [CLS].
    backbone=dict(stem='ics', num_parts=0, init_cfg=dict(checkpoint='vit_small_ics_cfs_lup.pth')),
    neck=dict(num_parts=0),
)

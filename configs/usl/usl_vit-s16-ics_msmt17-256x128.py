# TransReID-SSL, convolutional stem. Published: 50.6 mAP, 75.0 Rank-1.
_base_ = './usl_vit-s16_msmt17-256x128.py'

model = dict(
    # A plain ViT: the feature is [CLS].
    backbone=dict(stem='ics', num_parts=0, init_cfg=dict(checkpoint='vit_small_ics_cfs_lup.pth')),
    neck=dict(num_parts=0),
)

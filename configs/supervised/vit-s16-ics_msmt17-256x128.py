# TransReID-SSL, convolutional stem. Published: 68.1 mAP, 86.1 Rank-1.
_base_ = './vit-s16_msmt17-256x128.py'

model = dict(
    # A plain ViT: the feature is [CLS].
    backbone=dict(stem='ics', num_parts=0, init_cfg=dict(checkpoint='vit_small_ics_cfs_lup.pth')),
    head=dict(num_parts=0),
)

# PersonViT. Published: 74.3 mAP, 89.2 Rank-1.
_base_ = './vit-s16_msmt17-256x128.py'

model = dict(
    # A plain ViT: the feature is [CLS].
    backbone=dict(num_parts=0, init_cfg=dict(checkpoint='personvit_small_lup.pth')),
    head=dict(num_parts=0),
)

# PersonViT. Published: 92.9 mAP, 96.8 Rank-1.
_base_ = './vit-s16_market1501-256x128.py'

model = dict(
    # A plain ViT: the feature is [CLS].
    backbone=dict(num_parts=0, init_cfg=dict(checkpoint='personvit_small_lup.pth')),
    head=dict(num_parts=0),
)

# PersonViT. Published: 84.7 mAP, 91.9 Rank-1.
_base_ = './vit-s16_dukemtmc-reid-256x128.py'

model = dict(
    # A plain ViT: the feature is [CLS].
    backbone=dict(num_parts=0, init_cfg=dict(checkpoint='personvit_small_lup.pth')),
    head=dict(num_parts=0),
)

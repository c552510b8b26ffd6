# PersonViT. Published: 65.2 mAP, 73.2 Rank-1.
_base_ = './vit-s16_occluded-duke-256x128.py'

model = dict(
    # A plain ViT: the feature is [CLS].
    backbone=dict(num_parts=0, init_cfg=dict(checkpoint='personvit_small_lup.pth')),
    head=dict(num_parts=0),
)

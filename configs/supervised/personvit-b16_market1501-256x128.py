# PersonViT. Published: 95.0 mAP, 97.6 Rank-1.
_base_ = './vit-s16_market1501-256x128.py'

model = dict(
    # A plain ViT: the feature is [CLS].
    backbone=dict(
        arch='deit-base',
        num_parts=0,
        init_cfg=dict(checkpoint='personvit_base_lup.pth'),
    ),
    head=dict(in_channels=768, num_parts=0),
)
# Its file for this data set and size alone leaves the warm-up at 5 epochs.
param_scheduler = [dict(type='WarmupCosineLR', T_max=120, warmup=5)]

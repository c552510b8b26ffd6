# TransReID-SSL, convolutional stem. Published: 89.9 mAP, 95.5 Rank-1.
_base_ = ['../usl/usl_vit-s16_market1501-256x128.py']

# The source model, fine-tuned with labels on MSMT17.
init_cfg = dict(checkpoint='work_dirs/vit-s16-ics_msmt17-256x128/epoch_120.pth')
# A plain ViT: the feature is [CLS].
model = dict(
    backbone=dict(stem='ics', num_parts=0, init_cfg=init_cfg),
    neck=dict(num_parts=0),
)

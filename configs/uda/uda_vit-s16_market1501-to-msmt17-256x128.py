# Published: 49.1 mAP, 72.7 Rank-1.
_base_ = ['../usl/usl_vit-s16_msmt17-256x128.py']

# The source model, fine-tuned with labels on Market-1501 with the same fusion.
init_cfg = dict(checkpoint='work_dirs/vit-s16-mean_market1501-256x128/epoch_120.pth')
model = dict(backbone=dict(init_cfg=init_cfg), neck=dict(multi_neck=True))

# Published: 93.0 mAP, 96.8 Rank-1.
_base_ = [
    '../_base_/models/reid_vit_s16.py',
    '../_base_/datasets/market1501.py',
    '../_base_/schedules/sgd_120e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        arch='deit-base',
        init_cfg=dict(checkpoint='work_dirs/pass_vit-b16_lup/teacher_backbone.pth'),
    ),
    head=dict(in_channels=768),
)

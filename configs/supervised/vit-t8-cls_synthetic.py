# Control for vit-t8_synthetic.py: [CLS] alone, from `../pass/pass_vit-t8-cls_synthetic.py`.
_base_ = [
    '../_base_/models/reid_vit_t8.py',
    '../_base_/datasets/reid_synthetic.py',
    '../_base_/schedules/adamw_30e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        num_parts=0,
        init_cfg=dict(checkpoint='work_dirs/pass_vit-t8-cls_synthetic/teacher_backbone.pth'),
    ),
    head=dict(num_parts=0),
)
train_dataloader = dict(dataset=dict(indices=200))

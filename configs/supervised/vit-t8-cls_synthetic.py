# Control for vit-t8_synthetic.py: [CLS] alone, from `../pass/pass_vit-t16-cls_synthetic.py`.
_base_ = './vit-t8_synthetic.py'

model = dict(
    backbone=dict(
        num_parts=0,
        init_cfg=dict(checkpoint='work_dirs/pass_vit-t16-cls_synthetic/teacher_backbone.pth'),
    ),
    head=dict(num_parts=0),
)

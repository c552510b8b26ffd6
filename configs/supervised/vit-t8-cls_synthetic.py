# Control for vit-t8_synthetic.py without part tokens, from `../pass/pass_vit-t8-cls_synthetic.py`.
_base_ = './vit-t8-all_synthetic.py'

model = dict(
    backbone=dict(
        num_parts=0,
        init_cfg=dict(checkpoint='work_dirs/pass_vit-t8-cls_synthetic/teacher_backbone.pth'),
    ),
    head=dict(num_parts=0),
)
train_dataloader = dict(dataset=dict(indices=200))

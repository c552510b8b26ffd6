# The backbone of `pass_vit-t8.py`, fine-tuned on 64x32 pixels.
_base_ = './reid_vit-s16.py'

model = dict(
    backbone=dict(
        arch=dict(
            _delete_=True,
            embed_dims=128,
            num_layers=3,
            num_heads=4,
            feedforward_channels=512,
        ),
        img_size=(64, 32),
        patch_size=8,
        linear_std=0.08,
        spatial_prior=3.0,
        init_cfg=dict(checkpoint='work_dirs/pass_vit-t16_synthetic/teacher_backbone.pth'),
    ),
    head=dict(in_channels=128),
)

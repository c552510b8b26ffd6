# PASS for a CPU: 64x32 pixels, patches of 8, three layers of 128 channels.
# Not part of the published recipe: batch normalization in the projectors, and the spatial prior,
# without which the parts do not separate in a short run.
model = dict(
    # For programs with another default scope, such as `mmpretrain.get_model`.
    _scope_='passreid',
    type='PASS',
    data_preprocessor=dict(
        type='PASSDataPreprocessor',
        saturation=0.2,
        hue=0.05,
        gray_prob=0.0,
        blur_sigma=(0.1, 0.7),
        global_solarize_prob=0.0,
    ),
    backbone=dict(
        type='PartViT',
        arch=dict(embed_dims=128, num_layers=3, num_heads=4, feedforward_channels=512),
        img_size=(64, 32),
        patch_size=8,
        num_parts=3,
        drop_path_rate=0.1,
        interpolate_offset=0.1,
        linear_std=0.08,
        spatial_prior=3.0,
    ),
    neck=dict(
        type='PASSNeck',
        hidden_channels=256,
        bottleneck_channels=256,
        out_channels=512,
        with_bn=True,
    ),
    head=dict(type='PASSHead'),
)

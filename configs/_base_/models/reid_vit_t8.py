# Fine-tuning with the backbone of `pass_vit_t8.py`, at 64x32 pixels.
model = dict(
    # For programs with another default scope, such as `mmpretrain.get_model`.
    _scope_='passreid',
    type='ImageClassifier',
    data_preprocessor=dict(
        type='ReIDDataPreprocessor',
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        to_rgb=True,
        erasing=dict(prob=0.5, mode='noise'),
    ),
    backbone=dict(
        type='PartViT',
        arch=dict(embed_dims=128, num_layers=3, num_heads=4, feedforward_channels=512),
        img_size=(64, 32),
        patch_size=8,
        num_parts=3,
        drop_path_rate=0.1,
        interpolate_mode='bilinear',
        linear_std=0.08,
        spatial_prior=3.0,
        init_cfg=dict(
            type='Pretrained', checkpoint='work_dirs/pass_vit-t8_synthetic/teacher_backbone.pth'
        ),
    ),
    # num_classes is read from the data set.
    head=dict(
        type='ReIDHead',
        in_channels=128,
        fusion='cat',
        multi_neck=True,
        id_loss=dict(type='CrossEntropyLoss'),
        metric_loss=dict(type='TripletLoss'),
    ),
)

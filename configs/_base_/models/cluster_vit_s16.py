# USL and UDA with ViT-S/16: one BN-neck, unit-length features, cluster memory.
model = dict(
    # For programs with another default scope, such as `mmpretrain.get_model`.
    _scope_='passreid',
    type='ClusterContrast',
    data_preprocessor=dict(
        type='ReIDDataPreprocessor',
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        to_rgb=True,
        # The published value: light grey after normalization.
        erasing=dict(prob=0.5, mode='constant', area=(0.02, 0.4), value=(0.485, 0.456, 0.406)),
    ),
    backbone=dict(
        type='PartViT',
        arch='deit-small',
        img_size=(256, 128),
        patch_size=16,
        num_parts=3,
        drop_path_rate=0.3,
        interpolate_mode='bilinear',
        # The teacher of `configs/pass/pass_vit-s16_lup.py`.
        init_cfg=dict(
            type='Pretrained', checkpoint='work_dirs/pass_vit-s16_lup/teacher_backbone.pth'
        ),
    ),
    neck=dict(type='BNNeck', in_channels=384, fusion='cat', multi_neck=False, normalize=True),
    memory=dict(type='ClusterMemory', temperature=0.05, momentum=0.2, use_hard=True),
)

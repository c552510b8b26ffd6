# Fine-tuning with ViT-S/16: part tokens fused, BN-neck, cross-entropy and triplet loss.
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
        arch='deit-small',
        img_size=(256, 128),
        patch_size=16,
        num_parts=3,
        drop_path_rate=0.1,
        interpolate_mode='bilinear',
        # The teacher of `configs/pass/pass_vit-s16_lup.py`; None trains from scratch.
        init_cfg=dict(
            type='Pretrained', checkpoint='work_dirs/pass_vit-s16_lup/teacher_backbone.pth'
        ),
    ),
    # num_classes is read from the data set.
    head=dict(
        type='ReIDHead',
        in_channels=384,
        fusion='cat',
        multi_neck=True,
        id_loss=dict(type='CrossEntropyLoss'),
        metric_loss=dict(type='TripletLoss'),
    ),
)

# PASS on ViT-S/16 with [CLS] and three [PART] tokens.
model = dict(
    # For programs with another default scope, such as `mmpretrain.get_model`.
    _scope_='passreid',
    type='PASS',
    data_preprocessor=dict(type='PASSDataPreprocessor'),
    backbone=dict(
        type='PartViT',
        arch='deit-small',
        img_size=(256, 128),
        patch_size=16,
        num_parts=3,
        drop_path_rate=0.1,
        interpolate_offset=0.1,
    ),
    neck=dict(type='PASSNeck', hidden_channels=2048, bottleneck_channels=256, out_channels=65536),
    head=dict(
        type='PASSHead', student_temperature=0.1, teacher_temperature=0.04, center_momentum=0.9
    ),
)

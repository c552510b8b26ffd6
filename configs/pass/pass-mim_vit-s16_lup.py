# PASS with masked patches, ViT-S/16: not a published recipe, and nothing large has been trained
# with it. Masks and temperatures of the patches are those of iBOT, all else is that of PASS.
_base_ = './pass_vit-s16_lup.py'

model = dict(
    type='MaskedPASS',
    patch_head=dict(
        type='PatchHead',
        teacher_temperature=0.07,
        warmup_teacher_temperature=0.04,
        warmup_teacher_temperature_epochs=30,
    ),
)
train_pipeline = [*_base_.train_pipeline[:-1], dict(type='MaskPatches'), dict(type='PackViews')]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

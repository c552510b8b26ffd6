# pass_vit-t8_synthetic.py with masked patches: not a published recipe, and nothing large has been
# trained with it.
_base_ = './pass_vit-t8_synthetic.py'

model = dict(type='MaskedPASS', patch_head=dict(type='PatchHead'))
train_pipeline = [
    *_base_.train_pipeline[:-1],
    dict(type='MaskPatches', patch_size=8),
    dict(type='PackViews'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

# pass_vit-t8_folder.py with masked patches: not a published recipe, and nothing large has been
# trained with it. The folder is passed as `--data-root`.
_base_ = './pass_vit-t8_synthetic.py'

model = dict(type='MaskedPASS', patch_head=dict(type='PatchHead'))
train_pipeline = [
    *_base_.train_pipeline[:-1],
    dict(type='MaskPatches', patch_size=8),
    dict(type='PackViews'),
]
dataset = dict(_delete_=True, type='LUPerson', data_root='data/crops')
train_dataloader = dict(dataset=dict(dataset, pipeline=train_pipeline))
param_scheduler = [
    dict(_base_.param_scheduler[0], end=300),
    *(dict(cosine, end=20, T_max=20) for cosine in _base_.param_scheduler[1:]),
]
train_cfg = dict(max_epochs=20)

# Train on Market-1501 and MSMT17 together; test on both.
_base_ = './vit-s16_market1501-256x128.py'

datasets = [
    dict(type='Market1501', data_root='data/market1501'),
    dict(type='MSMT17', data_root='data/MSMT17'),
]
train_sets = [dict(entry, pipeline=_base_.train_pipeline) for entry in datasets]
train_dataloader = dict(
    dataset=dict(_delete_=True, type='ReIDConcatDataset', datasets=train_sets),
)
test = dict(split='test', pipeline=_base_.test_pipeline)
test_dataloader = [dict(_base_.test_dataloader, dataset=dict(entry, **test)) for entry in datasets]
test_cfg = dict(type='MultiTestLoop', names=['market1501', 'msmt17'])

# Train on Market-1501, test there and on sets that training has not seen.
_base_ = [
    '../_base_/models/reid_vit_s16.py',
    '../_base_/datasets/market1501.py',
    '../_base_/schedules/sgd_120e.py',
    '../_base_/default_runtime.py',
]

market1501 = _base_.test_dataloader
other = dict(split='test', pipeline=_base_.test_pipeline)
msmt17 = dict(market1501, dataset=dict(type='MSMT17', data_root='data/MSMT17', **other))
cuhk03 = dict(market1501, dataset=dict(type='CUHK03NP', data_root='data/cuhk03-np', **other))
test_dataloader = [market1501, msmt17, cuhk03]
test_cfg = dict(type='MultiTestLoop', names=['market1501', 'msmt17', 'cuhk03-np'])

# Train on Market-1501; test on it and, without fine-tuning, on MSMT17 and CUHK03-NP.
_base_ = './vit-s16_market1501-256x128.py'

market1501 = _base_.test_dataloader
other = dict(split='test', pipeline=_base_.test_pipeline)
msmt17 = dict(market1501, dataset=dict(type='MSMT17', data_root='data/MSMT17', **other))
cuhk03 = dict(market1501, dataset=dict(type='CUHK03NP', data_root='data/cuhk03-np', **other))
test_dataloader = [market1501, msmt17, cuhk03]
test_cfg = dict(type='MultiTestLoop', names=['market1501', 'msmt17', 'cuhk03-np'])

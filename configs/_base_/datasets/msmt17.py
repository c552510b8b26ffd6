_base_ = './reid_256x128.py'

dataset = dict(type='MSMT17', data_root='data/MSMT17')
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)

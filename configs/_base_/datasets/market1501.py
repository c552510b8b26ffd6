_base_ = './reid_256x128.py'

dataset = dict(type='Market1501', data_root='data/market1501')
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)

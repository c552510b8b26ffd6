_base_ = './reid_256x128.py'

dataset = dict(type='OccludedDuke', data_root='data/Occluded_Duke')
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)

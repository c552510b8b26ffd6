# Control for pass_vit-t8_folder.py without part tokens; same number and size of views.
_base_ = './pass_vit-t8_folder.py'

load, crop, pack = _base_.train_pipeline
crop = dict(crop, num_parts=0, num_local_whole=6, local_scale=(0.15, 0.45))
model = dict(backbone=dict(num_parts=0))
train_dataloader = dict(dataset=dict(pipeline=[load, crop, pack]))

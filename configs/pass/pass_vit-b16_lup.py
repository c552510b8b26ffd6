# Published recipe of PASS, ViT-B/16: 8 GPUs x 64 images.
_base_ = './pass_vit-s16_lup.py'

model = dict(backbone=dict(arch='deit-base'))
train_dataloader = dict(batch_size=64)

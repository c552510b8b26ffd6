# Fine-tune `../pass/pass_vit-t8_synthetic.py` on a CPU with few labels: 200 images of 25 people.
# Not part of the published recipe: all tokens are the feature, each is trained by itself, and a
# penalty keeps them apart.
_base_ = './vit-t8-all_synthetic.py'

model = dict(head=dict(fusion='all', similarity_weight=1.0))
train_dataloader = dict(dataset=dict(indices=200))

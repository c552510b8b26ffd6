# Fine-tune `../pass/pass_vit-t8_synthetic.py` on a CPU with few labels: 200 images of 25 people.
_base_ = './vit-t8-all_synthetic.py'

train_dataloader = dict(dataset=dict(indices=200))

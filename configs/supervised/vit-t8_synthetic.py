# Fine-tuning of `../pass/pass_vit-t8_synthetic.py` on a CPU, with 200 pictures of 25 people.
_base_ = [
    '../_base_/models/reid_vit_t8.py',
    '../_base_/datasets/reid_synthetic.py',
    '../_base_/schedules/adamw_30e.py',
    '../_base_/default_runtime.py',
]

# Labels are what is scarce; None trains on all 100 people.
train_dataloader = dict(dataset=dict(indices=200))

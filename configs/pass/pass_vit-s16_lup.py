# Published recipe of PASS, ViT-S/16: 100 epochs on LUPerson, 8 GPUs x 128 images.
_base_ = [
    '../_base_/models/pass_vit_s16.py',
    '../_base_/datasets/luperson_views.py',
    '../_base_/schedules/adamw_100e.py',
    '../_base_/default_runtime.py',
]

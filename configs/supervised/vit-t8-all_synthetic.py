# Fine-tune with the published head and the labels of all 100 people of domain a: the source of
# uda_vit-t8_synthetic.py.
_base_ = [
    '../_base_/models/reid_vit_t8.py',
    '../_base_/datasets/reid_synthetic.py',
    '../_base_/schedules/adamw_30e.py',
    '../_base_/default_runtime.py',
]

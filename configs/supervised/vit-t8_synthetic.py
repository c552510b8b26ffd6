# Fine-tuning of `../pass/pass_vit-t16_synthetic.py`, for a CPU.
_base_ = [
    '../_base_/models/reid_vit-t8.py',
    '../_base_/datasets/reid_synthetic.py',
    '../_base_/schedules/adamw_30e.py',
    '../_base_/default_runtime.py',
]

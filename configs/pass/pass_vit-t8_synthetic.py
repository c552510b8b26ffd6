# PASS in minutes on a CPU, on pedestrians rendered on first use.
_base_ = [
    '../_base_/models/pass_vit_t8.py',
    '../_base_/datasets/synthetic_views.py',
    '../_base_/schedules/adamw_2e.py',
    '../_base_/default_runtime.py',
]

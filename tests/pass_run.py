"""A whole pre-training run, small enough for a test."""

import cv2
import numpy as np
from mmengine.config import Config

ARCH = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)


def write_crops(folder, count=16):
    """Write smooth random pictures of 64 x 32 pixels."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for index in range(count):
        coarse = generator.integers(0, 256, (8, 4, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'{index:04d}.jpg'), cv2.resize(coarse, (32, 64)))
    return folder


def pass_config(root, crops, work_dir, **changes):
    """Return the LUPerson recipe at a size for tests: 16 crops in batches of 4, 2 epochs.

    Args:
        root (Path): Root of the repository.
        crops (Path): Folder of pictures.
        work_dir (Path): Work directory.
        **changes: Entries by dotted key, with ``__`` for the dots.
    """
    cfg = Config.fromfile(root / 'configs' / 'pass' / 'pass_vit-s16_lup.py')
    cfg.model.backbone.arch = ARCH
    cfg.model.backbone.update(img_size=(32, 16), patch_size=8, drop_path_rate=0.2)
    cfg.model.neck.update(hidden_channels=24, bottleneck_channels=8, out_channels=32)
    loader = cfg.train_dataloader
    loader.update(batch_size=4, num_workers=0, persistent_workers=False, pin_memory=False)
    loader.dataset.data_root = str(crops)
    loader.dataset.pipeline[1].update(global_size=(32, 16), local_size=(16, 8), local_per_part=1)
    for scheduler, (begin, end) in zip(cfg.param_scheduler, ((0, 1), (1, 2), (0, 2)), strict=True):
        scheduler.update(begin=begin, end=end)
        if 'T_max' in scheduler:
            scheduler.T_max = end - begin
    cfg.train_cfg.max_epochs = 2
    cfg.optim_wrapper.update(amp=None)
    cfg.optim_wrapper.optimizer.lr = 0.02
    cfg.auto_scale_lr.enable = False
    cfg.default_hooks.logger.interval = 1
    cfg.work_dir = str(work_dir)
    cfg.merge_from_dict({key.replace('__', '.'): value for key, value in changes.items()})
    return cfg


def without_randomness(cfg):
    """Make a step depend on nothing but its images: no augmentation, depth, schedule, decay."""
    cfg.model.backbone.drop_path_rate = 0.0
    cfg.model.data_preprocessor.update(
        flip_prob=0,
        jitter_prob=0,
        gray_prob=0,
        global_blur_prob=0,
        local_blur_prob=0,
        global_solarize_prob=0,
    )
    cfg.param_scheduler = []
    # That of the recorded iterations, whose tolerances hold here too: Adam turns the rounding noise
    # of a gradient near zero into steps in proportion to it.
    cfg.optim_wrapper.optimizer.lr = 0.002
    for hook in cfg.custom_hooks:
        if hook.type == 'TeacherHook':
            hook.update(base_momentum=0.9, end_momentum=0.9)
    return cfg


def other_than_key_biases(name, value):
    """Drop the rows of a tensor whose gradient is zero but for rounding, which Adam amplifies."""
    if not name.endswith('qkv.bias'):
        return value
    third = len(value) // 3
    return value[np.r_[:third, 2 * third : len(value)]]

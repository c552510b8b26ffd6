"""Pre-training, fine-tuning and training without labels, each a matter of seconds.

The configs are those of ``root``, the repository. Changes are entries by dotted key, with ``__``
for the dots, such as ``train_cfg__max_epochs=1``.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from torch.utils.data import DataLoader

from passreid.apis import build_runner
from passreid.engine.optimization import AmpPerParameterOptimWrapper
from passreid.registry import OPTIM_WRAPPERS

ARCH = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)
HEIGHT, WIDTH = 32, 16
NUM_TRAIN_IDS, IMAGES_PER_ID, NUM_TEST_IDS = 8, 4, 6


def write_crops(folder, count=16):
    """Write smooth random pictures of 64 x 32 pixels."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for index in range(count):
        coarse = generator.integers(0, 256, (8, 4, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'{index:04d}.jpg'), cv2.resize(coarse, (32, 64)))
    return folder


def write_people(root, seed=0):
    """Write a data set in the layout of Market-1501: noisy pictures of colored people.

    8 ids x 4 images to train on; 6 ids with a query and three gallery images to test on, and one
    distractor: 25 test images.
    """
    generator = np.random.default_rng(seed)

    def write(folder, pid, colors, cameras):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for camera in cameras:
            noise = generator.integers(-60, 60, (8, 4, 3))
            coarse = np.clip(colors + noise, 0, 255).astype(np.uint8)
            name = f'{pid:04d}_c{camera}s1_{camera:06d}_00.jpg'
            cv2.imwrite(str(root / folder / name), cv2.resize(coarse, (WIDTH, HEIGHT)))

    def colors():
        return generator.integers(0, 256, (4, 1, 3)).repeat(2, 0)

    for pid in range(1, 1 + NUM_TRAIN_IDS):
        write('bounding_box_train', pid, colors(), range(1, 1 + IMAGES_PER_ID))
    for pid in range(101, 101 + NUM_TEST_IDS):
        looks = colors()
        write('query', pid, looks, [1])
        write('bounding_box_test', pid, looks, [2, 3, 4])
    write('bounding_box_test', 0, colors(), [5])
    return root


def masked_config(root, crops, work_dir, **changes):
    """Return the recipe of :func:`pass_config` with masked patches."""
    return pass_config(root, crops, work_dir, 'pass-mim_vit-s16_lup', **changes)


def pass_config(root, crops, work_dir, name='pass_vit-s16_lup', **changes):
    """Return the LUPerson recipe at a size for tests: 16 crops in batches of 4, 2 epochs."""
    cfg = Config.fromfile(root / 'configs' / 'pass' / f'{name}.py')
    shrink_model(cfg.model)
    cfg.train_dataloader.dataset.data_root = str(crops)
    for scheduler, (begin, end) in zip(cfg.param_scheduler, ((0, 1), (1, 2), (0, 2)), strict=True):
        scheduler.update(begin=begin, end=end)
        if 'T_max' in scheduler:
            scheduler.T_max = end - begin
    cfg.train_cfg.max_epochs = 2
    cfg.optim_wrapper.update(amp=None)
    cfg.auto_scale_lr.enable = False
    return _finish(cfg, work_dir, batch_size=4, lr=0.02, changes=changes)


def reid_config(root, people, work_dir, pretrained=None, **changes):
    """Return the Market-1501 recipe at a size for tests: 2 epochs of 4 batches of 4 ids x 2."""
    cfg = Config.fromfile(root / 'configs' / 'supervised' / 'vit-s16_market1501-256x128.py')
    _shrink_people(cfg, people)
    if pretrained:
        cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint=str(pretrained))
    (schedule,) = cfg.param_scheduler
    schedule.update(T_max=3, warmup=1)
    cfg.train_cfg.update(max_epochs=2, val_interval=2)
    cfg.optim_wrapper.update(amp=None)
    return _finish(cfg, work_dir, batch_size=8, lr=0.02, changes=changes)


def cluster_config(root, people, work_dir, **changes):
    """Return the Market-1501 recipe of USL at a size for tests: 3 epochs of 3 batches of 4 x 2."""
    cfg = Config.fromfile(root / 'configs' / 'usl' / 'usl_vit-s16_market1501-256x128.py')
    _shrink_people(cfg, people)
    hook = cfg.default_hooks.pseudo_labels
    # A neighborhood for the 32 images of 8 people.
    hook.update(eps=0.5, k1=6, k2=2, min_samples=3)
    shrink(hook.pipeline)
    cfg.train_dataloader.sampler.iterations = 3
    cfg.train_cfg.update(max_epochs=3, val_interval=3)
    cfg.param_scheduler = []
    return _finish(cfg, work_dir, batch_size=8, lr=0.002, changes=changes)


def refined_config(root, people, work_dir, **changes):
    """Return that of USL with everything that is off in the recipe."""
    cfg = cluster_config(root, people, work_dir, **changes)
    cfg.model.camera_memory = dict(type='CameraMemory', start_epoch=1)
    cfg.model.part_refinement = dict(type='PartRefinement', start_epoch=1)
    cfg.default_hooks.pseudo_labels.standardize_cameras = True
    return cfg


def _shrink_people(cfg, people):
    shrink_model(cfg.model)
    cfg.model.backbone.init_cfg = None
    for name in ('train', 'val', 'test'):
        cfg[f'{name}_dataloader'].dataset.data_root = str(people)
    cfg.train_dataloader.sampler.images_per_id = 2


def _finish(cfg, work_dir, batch_size, lr, changes):
    small = dict(batch_size=batch_size, num_workers=0, persistent_workers=False, pin_memory=False)
    for name in ('train', 'val', 'test'):
        if loader := cfg.get(f'{name}_dataloader'):
            loader.update(small)
            shrink(loader.dataset.pipeline)
    cfg.model.backbone.drop_path_rate = 0.2
    cfg.optim_wrapper.optimizer.lr = lr
    cfg.default_hooks.logger.interval = 1
    cfg.work_dir = str(work_dir)
    cfg.merge_from_dict({key.replace('__', '.'): value for key, value in changes.items()})
    return cfg


def shrink_model(model):
    """Make the model of a config small, for images of 32 x 16 pixels, in place."""
    model.backbone.update(arch=ARCH, img_size=(HEIGHT, WIDTH), patch_size=8)
    for part in ('head', 'neck'):
        if part in model and 'in_channels' in model[part]:
            model[part].in_channels = ARCH['embed_dims']
    if model.type in ('PASS', 'MaskedPASS'):
        model.neck.update(hidden_channels=24, bottleneck_channels=8, out_channels=32)


def shrink(pipeline):
    """Let a pipeline make images of 32 x 16 pixels, in place."""
    for step in pipeline:
        if step.type == 'Resize':
            step.scale = (WIDTH, HEIGHT)
        elif step.type == 'RandomCrop':
            step.update(crop_size=(HEIGHT, WIDTH), padding=2)
        elif step.type == 'PartAwareMultiCrop':
            step.update(global_size=(32, 16), local_size=(16, 8), local_per_part=1)
        elif step.type == 'MaskPatches':
            step.patch_size = 8


def without_randomness(cfg):
    """Make a step of pre-training depend on nothing but its images: no augmentation or schedule."""
    cfg.model.backbone.drop_path_rate = 0.0
    kinds = 'flip', 'jitter', 'gray', 'global_blur', 'local_blur', 'global_solarize'
    cfg.model.data_preprocessor.update({f'{kind}_prob': 0 for kind in kinds})
    cfg.param_scheduler = []
    # That of the recorded iterations: Adam turns the rounding noise of a gradient near zero into
    # steps in proportion to it.
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


@contextmanager
def quick_start() -> Iterator[None]:
    """Let runs begin without what takes seconds in mmengine and changes no figure."""
    format_code = mock.Mock(side_effect=lambda text, **_: (text, True))
    # The fork of mmengine (onedl-mmengine) imports it only when it is called.
    with (
        mock.patch('mmengine.config.config.FormatCode', format_code, create=True),
        mock.patch('yapf.yapflib.yapf_api.FormatCode', format_code),
    ):
        yield


def train(cfg, *hooks):
    """Train with some hooks more and return the runner."""
    runner = build_runner(cfg)
    for hook in hooks:
        runner.register_hook(hook)
    try:
        runner.train()
    finally:
        # Left to the garbage collection, persistent workers are waited for, for seconds each.
        for holder in runner.train_loop, *runner.hooks:
            for loader in vars(holder).values():
                if isinstance(loader, DataLoader):
                    loader._iterator = None
    return runner


class SeenImages(Hook):
    """Remember the names of the images of each batch of training."""

    def __init__(self):
        self.batches = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        names = [sample.img_path.split('/')[-1] for sample in data_batch['data_samples']]
        self.batches.append(names)


class SeenClusters(Hook):
    """Remember the labels and the memory that each epoch starts and ends with."""

    # After the hook that sets them.
    priority = 'LOWEST'

    def __init__(self):
        self.starts, self.ends = [], []

    def before_train_epoch(self, runner):
        self.starts.append(self._state(runner))

    def after_train_epoch(self, runner):
        self.ends.append(self._state(runner))

    def _state(self, runner):
        state = getattr(runner.model, 'module', runner.model).pseudo_label_state()
        return copy.deepcopy(state)


class KilledError(Exception):
    """What :class:`Kill` raises."""


class Kill(Hook):
    """Die after an iteration, once everything else has been done."""

    priority = 'LOWEST'

    def __init__(self, iteration):
        self.iteration = iteration

    def after_train_iter(self, runner, *args, **kwargs):
        if runner.iter + 1 == self.iteration:
            raise KilledError


@OPTIM_WRAPPERS.register_module()
class HalfOnCPU(AmpPerParameterOptimWrapper):
    """Mixed precision on the CPU, as a GPU has it: autocast, and loss scaling for float16."""

    def __init__(self, dtype='float16', **kwargs):
        scaler = torch.amp.GradScaler('cpu', enabled=dtype == 'float16')
        module = 'mmengine.optim.optimizer.amp_optimizer_wrapper'
        with (
            mock.patch(f'{module}.is_cuda_available', lambda: True),
            mock.patch(f'{module}.GradScaler', lambda **_: scaler),
        ):
            super().__init__(dtype=dtype, **kwargs)

    @contextmanager
    def optim_context(self, model):
        with OptimWrapper.optim_context(self, model), torch.autocast('cpu', self.cast_dtype):
            yield


def halve(cfg, dtype):
    """Let a config train under autocast, in place."""
    wrapper = cfg.optim_wrapper
    wrapper.pop('amp', None)
    wrapper.pop('loss_scale', None)
    wrapper.update(type='HalfOnCPU', dtype=dtype)
    return cfg

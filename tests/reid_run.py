"""A whole supervised run, small enough for a test."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.hooks import Hook

from passreid.apis import build_runner

ARCH = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)
HEIGHT, WIDTH = 32, 16
NUM_TRAIN_IDS, IMAGES_PER_ID, NUM_TEST_IDS = 8, 4, 6


def write_people(root, seed=0):
    """Write a data set in the layout of Market-1501: noisy pictures of coloured people.

    8 ids x 4 images to train on; 6 ids with a query and three gallery images to test on, and one
    distractor: 25 test images.
    """
    generator = np.random.default_rng(seed)

    def write(folder, pid, colours, cameras):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for camera in cameras:
            noise = generator.integers(-60, 60, (8, 4, 3))
            coarse = np.clip(colours + noise, 0, 255).astype(np.uint8)
            name = f'{pid:04d}_c{camera}s1_{camera:06d}_00.jpg'
            cv2.imwrite(str(root / folder / name), cv2.resize(coarse, (WIDTH, HEIGHT)))

    def colours():
        return generator.integers(0, 256, (4, 1, 3)).repeat(2, 0)

    for pid in range(1, 1 + NUM_TRAIN_IDS):
        write('bounding_box_train', pid, colours(), range(1, 1 + IMAGES_PER_ID))
    for pid in range(101, 101 + NUM_TEST_IDS):
        looks = colours()
        write('query', pid, looks, [1])
        write('bounding_box_test', pid, looks, [2, 3, 4])
    write('bounding_box_test', 0, colours(), [5])
    return root


def reid_config(root, people, work_dir, pretrained=None, **changes):
    """Return the Market-1501 recipe at a size for tests: 2 epochs of 4 batches of 4 ids x 2.

    Args:
        root (Path): Root of the repository.
        people (Path): Folder of :func:`write_people`.
        work_dir (Path): Work directory.
        pretrained (Path, optional): Weights of the backbone to start from.
        **changes: Entries by dotted key, with ``__`` for the dots.
    """
    cfg = Config.fromfile(root / 'configs' / 'supervised' / 'vit-s16_market1501-256x128.py')
    init_cfg = pretrained and dict(type='Pretrained', checkpoint=str(pretrained))
    cfg.model.backbone.update(
        arch=ARCH, img_size=(HEIGHT, WIDTH), patch_size=8, drop_path_rate=0.2, init_cfg=init_cfg
    )
    cfg.model.head.in_channels = ARCH['embed_dims']
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.update(batch_size=8, num_workers=0, persistent_workers=False, pin_memory=False)
        loader.dataset.data_root = str(people)
        shrink(loader.dataset.pipeline)
    cfg.train_dataloader.sampler.images_per_id = 2
    (schedule,) = cfg.param_scheduler
    schedule.update(T_max=3, warmup=1)
    cfg.train_cfg.update(max_epochs=2, val_interval=2)
    cfg.optim_wrapper.update(amp=None)
    cfg.optim_wrapper.optimizer.lr = 0.02
    cfg.default_hooks.logger.interval = 1
    cfg.work_dir = str(work_dir)
    cfg.merge_from_dict({key.replace('__', '.'): value for key, value in changes.items()})
    return cfg


def shrink(pipeline):
    """Let a pipeline make images of 32 x 16 pixels, in place."""
    for step in pipeline:
        if step.type == 'Resize':
            step.scale = (WIDTH, HEIGHT)
        elif step.type == 'RandomCrop':
            step.update(crop_size=(HEIGHT, WIDTH), padding=2)


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
    runner.train()
    return runner


class SeenImages(Hook):
    """Remember the names of the images of each batch of training."""

    def __init__(self):
        self.batches = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        names = [sample.img_path.split('/')[-1] for sample in data_batch['data_samples']]
        self.batches.append(names)

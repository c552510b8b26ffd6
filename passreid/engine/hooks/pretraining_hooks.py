"""Hooks of pre-training: the teacher, its prototypes and its export, and what a reader sees."""

from math import cos, pi
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor
from torch.nn import functional as F

from passreid.registry import HOOKS
from passreid.utils.atomic_file import save_atomically
from passreid.utils.distributed import unwrap_model

_GAP = 4


@HOOKS.register_module()
class TeacherHook(Hook):
    """Move the teacher after each optimizer step.

    The momentum follows a cosine over the iterations. The model offers ``set_epoch(epoch)`` and
    ``update_teacher(momentum)``.

    Source: `DINO <https://arxiv.org/abs/2104.14294>`_, section 3.1.

    Args:
        base_momentum (float): Momentum of the first iteration. Defaults to 0.996.
        end_momentum (float): What the cosine goes to. Defaults to 1.
    """

    def __init__(self, base_momentum: float = 0.996, end_momentum: float = 1.0) -> None:
        self.base_momentum = base_momentum
        self.end_momentum = end_momentum

    def momentum(self, iteration: int, num_iterations: int) -> float:
        """Momentum of an iteration (from 0)."""
        share = (1 + cos(pi * iteration / num_iterations)) / 2
        return self.end_momentum + (self.base_momentum - self.end_momentum) * share

    def before_train_epoch(self, runner: Runner) -> None:
        """Tell the model the epoch, which sets the teacher's temperature."""
        unwrap_model(runner.model).set_epoch(runner.epoch)

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Move teacher and centers if the optimizer made a step."""
        if not runner.optim_wrapper.should_update():
            return
        momentum = self.momentum(runner.iter, runner.max_iters)
        unwrap_model(runner.model).update_teacher(momentum)
        runner.message_hub.update_scalar('train/teacher_momentum', momentum)


@HOOKS.register_module()
class FreezePrototypesHook(Hook):
    """Give the prototypes no gradient during the first epochs.

    The optimizer wrapper offers ``skip(parameters)``, the model ``prototype_parameters()``.

    Args:
        epochs (int): Number of epochs. Defaults to 1.
    """

    def __init__(self, epochs: int = 1) -> None:
        self.epochs = epochs

    def before_train_epoch(self, runner: Runner) -> None:
        """Choose what the optimizer leaves out in this epoch."""
        frozen = runner.epoch < self.epochs
        parameters = unwrap_model(runner.model).prototype_parameters() if frozen else ()
        runner.optim_wrapper.skip(parameters)


@HOOKS.register_module()
class ExportTeacherHook(Hook):
    """Write the teacher's backbone after training, for ``init_cfg`` of type 'Pretrained'.

    Args:
        filename (str): Name in the work directory. Defaults to ``'teacher_backbone.pth'``.
    """

    def __init__(self, filename: str = 'teacher_backbone.pth') -> None:
        self.filename = filename

    @master_only
    def after_train(self, runner: Runner) -> None:
        """Write the file, whole or not at all."""
        backbone = unwrap_model(runner.model).teacher['backbone']
        weights = {name: value.cpu() for name, value in backbone.state_dict().items()}
        meta = {'epoch': runner.epoch, 'pos_embed_grid': tuple(backbone.patch_resolution)}
        path = Path(runner.work_dir) / self.filename
        save_atomically({'state_dict': weights, 'meta': meta}, path)
        runner.logger.info(f"The teacher's backbone is in {path}")


@HOOKS.register_module()
class PretrainMonitorHook(Hook):
    """Log how far the [PART] tokens differ from [CLS] and where they look; warn of a collapse.

    Measured on the global views of the current batch, without augmentation, by the model's
    ``part_separation(views)``. A collapse is when the assignments to prototypes say nothing about
    the image, and when each [PART] token equals [CLS] but for a constant.

    Args:
        interval (int): Iterations between measurements. Defaults to 50.
        max_images (int): Views that are looked at. Defaults to 128.
        warmup (int): Iterations before the first warning. Defaults to 500.
        min_information (float): In nats; below is a collapse. Defaults to 0.1.
        max_part_cosine (float): Centered cosine of every [PART] to [CLS]; above is a collapse.
            Defaults to 0.98.
    """

    # After the hook that notes the losses, before the logger (BELOW_NORMAL).
    priority = 'NORMAL'

    def __init__(
        self,
        interval: int = 50,
        max_images: int = 128,
        warmup: int = 500,
        min_information: float = 0.1,
        max_part_cosine: float = 0.98,
    ) -> None:
        self.interval = interval
        self.max_images = max_images
        self.warmup = warmup
        self.min_information = min_information
        self.max_part_cosine = max_part_cosine

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, **kwargs) -> None:
        """Measure, log and judge at each interval."""
        if not self.every_n_train_iters(runner, self.interval):
            return
        model, hub = unwrap_model(runner.model), runner.message_hub
        cosines = []
        if model.backbone.num_parts:
            views = model.data_preprocessor(data_batch, training=False)['inputs']['global_views']
            for name, value in model.part_separation(views[: self.max_images]).items():
                hub.update_scalar(f'train/{name}', value)
                if name.startswith('part_cosine_'):
                    cosines.append(float(value))
        if runner.iter < self.warmup:
            return
        information = hub.get_scalar('train/teacher_information').mean(self.interval)
        if information < self.min_information:
            runner.logger.warning(
                f'Collapse: assignments carry {information:.3f} nats about the image (healthy: '
                'about 2 or more). Lower the learning rate or the teacher temperature, raise '
                'the batch size, or check that images are not all alike.'
            )
        if cosines and min(cosines) > self.max_part_cosine:
            runner.logger.warning(
                'Collapse of the parts: the centered cosine of each [PART] token to [CLS] is '
                f'above {min(cosines):.3f}; the parts say nothing that [CLS] does not.'
            )


@HOOKS.register_module()
class ViewsPictureHook(Hook):
    """Write the augmented views of some images when a run starts or goes on.

    One row an image: its global views, then its local views, enlarged to the same height.

    Args:
        filename (str): Name in the work directory. Defaults to ``'views.png'``.
        num_images (int): Rows. Defaults to 6.
        height (int): Height of a row in pixels. Defaults to 128.
    """

    def __init__(self, filename: str = 'views.png', num_images: int = 6, height: int = 128) -> None:
        self.filename = filename
        self.num_images = num_images
        self.height = height
        self._drawn = False

    @master_only
    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        """Draw the first batch."""
        if self._drawn:
            return
        self._drawn = True
        preprocessor = unwrap_model(runner.model).data_preprocessor
        kinds = {kind: views[: self.num_images] for kind, views in data_batch['inputs'].items()}
        batch = len(kinds['global_views'])
        with torch.random.fork_rng(devices=[]):
            views = preprocessor({'inputs': kinds}, training=True)['inputs']
        columns: list[Tensor] = []
        for normalized in views.values():
            pixels = (normalized * preprocessor.std + preprocessor.mean).clamp(0, 255)
            width = round(self.height * pixels.shape[3] / pixels.shape[2])
            pixels = F.interpolate(pixels, (self.height, width), mode='bilinear', antialias=True)
            framed = F.pad(pixels, (0, _GAP, 0, _GAP), value=255)
            columns += framed.unflatten(0, (-1, batch)).unbind()
        sheet = torch.cat(columns, dim=3).permute(0, 2, 3, 1).flatten(0, 1)
        rgb = sheet.round().byte().cpu().numpy()
        path = Path(runner.work_dir) / self.filename
        cv2.imencode('.png', np.ascontiguousarray(rgb[..., ::-1]))[1].tofile(path)
        runner.logger.info(f'The views of {batch} images are in {path}')

"""Hooks of pre-training: the teacher, its prototypes and its export, and what a reader sees."""

from math import cos, pi
from pathlib import Path

import torch
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from passreid.registry import HOOKS
from passreid.utils.atomic_file import save_atomically
from passreid.utils.distributed import unwrap_model

from ..runners import pixels_of

# Of the picture of the views: rows, height of a row and gap between views, in pixels.
_ROWS, _HEIGHT, _GAP = 6, 128, 4
# Of the monitor: views; a collapse is below these nats of information, or above this cosine.
_MAX_VIEWS, _MIN_INFORMATION, _MAX_PART_COSINE = 128, 0.1, 0.98


@HOOKS.register_module()
class TeacherHook(Hook):
    """Move the teacher after each optimizer step; its momentum follows a cosine.

    Source: `DINO <https://arxiv.org/abs/2104.14294>`_, section 3.1.
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
    """Give the prototypes no gradient during the first ``epochs``."""

    def __init__(self, epochs: int = 1) -> None:
        self.epochs = epochs

    def before_train_epoch(self, runner: Runner) -> None:
        """Choose what the optimizer leaves out in this epoch."""
        prototypes = unwrap_model(runner.model).prototype_parameters()
        runner.optim_wrapper.skip(prototypes if runner.epoch < self.epochs else ())


@HOOKS.register_module()
class ExportTeacherHook(Hook):
    """Write ``teacher_backbone.pth`` after training, for ``init_cfg`` of type 'Pretrained'."""

    @master_only
    def after_train(self, runner: Runner) -> None:
        """Write the file, whole or not at all."""
        backbone = unwrap_model(runner.model).teacher['backbone']
        weights = {name: value.cpu() for name, value in backbone.state_dict().items()}
        # Of use to masked pre-training alone.
        weights.pop('mask_token', None)
        meta = {'epoch': runner.epoch, 'pos_embed_grid': tuple(backbone.patch_resolution)}
        meta['pixels'] = pixels_of(runner.model)
        path = Path(runner.work_dir) / 'teacher_backbone.pth'
        save_atomically({'state_dict': weights, 'meta': meta}, path)
        runner.logger.info(f"The teacher's backbone is in {path}")


@HOOKS.register_module()
class PretrainMonitorHook(Hook):
    """Log how far the [PART] tokens differ from [CLS] and where they look; warn of a collapse.

    Measured every ``interval`` iterations on the global views, without augmentation. A collapse,
    warned of after ``warmup`` iterations, is when the assignments to prototypes say nothing about
    the image, or each [PART] token equals [CLS] but for a constant.
    """

    # After the hook that notes the losses, before the logger (BELOW_NORMAL).
    priority = 'NORMAL'

    def __init__(self, interval: int = 50, warmup: int = 500) -> None:
        self.interval = interval
        self.warmup = warmup

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, **kwargs) -> None:
        """Measure, log and judge at each interval."""
        if not self.every_n_train_iters(runner, self.interval):
            return
        model, hub = unwrap_model(runner.model), runner.message_hub
        cosine = 0.0
        if model.backbone.num_parts:
            views = model.data_preprocessor(data_batch, training=False)['inputs']['global_views']
            figures = model.part_separation(views[:_MAX_VIEWS])
            for name, value in figures.items():
                hub.update_scalar(f'train/{name}', value)
            cosine = min(float(v) for k, v in figures.items() if k.startswith('part_cosine_'))
        if runner.iter < self.warmup:
            return
        information = hub.get_scalar('train/teacher_information').mean(self.interval)
        if information < _MIN_INFORMATION:
            runner.logger.warning(
                f'Collapse: assignments carry {information:.3f} nats about the image (healthy: '
                '2 or more). Lower the learning rate or the teacher temperature, raise the batch '
                'size, or check that images are not all alike.'
            )
        if cosine > _MAX_PART_COSINE:
            runner.logger.warning(
                f'Collapse of the parts: their centered cosine to [CLS] is above {cosine:.3f}; '
                'they say nothing that [CLS] does not.'
            )


@HOOKS.register_module()
class ViewsPictureHook(Hook):
    """Write the augmented views of some images to ``views.png`` when a run starts or goes on.

    One row an image: its global views, then its local views, enlarged to the same height.
    """

    _drawn = False

    @master_only
    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        """Draw the first batch."""
        if self._drawn:
            return
        self._drawn = True
        preprocessor = unwrap_model(runner.model).data_preprocessor
        inputs = data_batch['inputs']
        kinds = {kind: inputs[kind][:_ROWS] for kind in ('global_views', 'local_views')}
        batch = len(kinds['global_views'])
        with torch.random.fork_rng(devices=[]):
            views = preprocessor({'inputs': kinds}, training=True)['inputs']
        columns: list[Tensor] = []
        for normalized in views.values():
            pixels = (normalized * preprocessor.std + preprocessor.mean).clamp(0, 255)
            width = round(_HEIGHT * pixels.shape[3] / pixels.shape[2])
            pixels = F.interpolate(pixels, (_HEIGHT, width), mode='bilinear', antialias=True)
            framed = F.pad(pixels, (0, _GAP, 0, _GAP), value=255)
            columns += framed.unflatten(0, (-1, batch)).unbind()
        sheet = torch.cat(columns, dim=3).permute(0, 2, 3, 1).flatten(0, 1)
        path = Path(runner.work_dir) / 'views.png'
        Image.fromarray(sheet.round().byte().cpu().numpy()).save(path)
        runner.logger.info(f'The views of {batch} images are in {path}')

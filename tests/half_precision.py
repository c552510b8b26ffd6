"""Mixed precision on the CPU, as a GPU has it: autocast, and loss scaling for float16."""

from contextlib import contextmanager
from unittest import mock

import torch
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper

from passreid.engine.optim_wrappers import AmpPerParameterOptimWrapper
from passreid.registry import OPTIM_WRAPPERS
from passreid.utils.unwrap import unwrap_model

MODULE = 'mmengine.optim.optimizer.amp_optimizer_wrapper'


@OPTIM_WRAPPERS.register_module()
class HalfOnCPU(AmpPerParameterOptimWrapper):
    """The wrapper of a GPU with what it asks of one put in its place."""

    def __init__(self, dtype='float16', **kwargs):
        scaler = torch.amp.GradScaler('cpu', enabled=dtype == 'float16')
        with (
            mock.patch(f'{MODULE}.is_cuda_available', lambda: True),
            mock.patch(f'{MODULE}.GradScaler', lambda **_: scaler),
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


class Overflow(Hook):
    """Scale the loss out of the range of float16 in one iteration, and look what comes of it.

    Attributes:
        moved (list[bool]): Whether the weights did, by iteration.
        scale (float): Of the loss after the overflow.
    """

    priority = 'LOWEST'

    def __init__(self, iteration, scale, overflowing):
        self.iteration, self.usual, self.overflowing = iteration, scale, overflowing
        self.moved = []

    def before_train_iter(self, runner, *args, **kwargs):
        now = runner.iter == self.iteration
        scaler = runner.optim_wrapper.loss_scaler
        # There is no scale to set before the first use.
        scaler.scale(torch.ones(()))
        scaler.update(self.overflowing if now else self.usual)
        self._before = _student(runner)

    def after_train_iter(self, runner, *args, **kwargs):
        if runner.iter == self.iteration:
            self.scale = runner.optim_wrapper.loss_scaler.get_scale()
        pairs = zip(self._before, _student(runner), strict=True)
        self.moved.append(any(not torch.equal(*pair) for pair in pairs))


def _student(runner):
    model = unwrap_model(runner.model)
    return [value.clone() for value in model.parameters() if value.requires_grad]


class SeenLosses(Hook):
    """Remember the loss of each iteration."""

    def __init__(self):
        self.losses = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses.append(float(outputs['loss']))

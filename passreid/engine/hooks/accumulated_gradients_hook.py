"""Gradients of an unfinished step in a checkpoint."""

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from passreid.registry import HOOKS
from passreid.utils.unwrap import unwrap_model

_KEY = 'accumulated_gradients'


@HOOKS.register_module()
class AccumulatedGradientsHook(Hook):
    """Let a run that accumulates gradients go on in the middle of a step.

    A checkpoint that is written between two steps of the optimiser (``accumulative_counts``) holds
    the gradients so far, the mean over the processes. mmengine loses them.

    It works with :class:`SafeRunner`, which calls :meth:`before_save_checkpoint_in_all`.
    """

    def __init__(self) -> None:
        self._gradients: dict[str, Tensor] = {}

    def before_save_checkpoint_in_all(self, runner: Runner) -> None:
        """Average the gradients over the processes; all of them must call this.

        Args:
            runner (Runner): The runner.
        """
        self._gradients = {}
        if getattr(runner.optim_wrapper, 'should_update', lambda: True)():
            return
        for name, parameter in unwrap_model(runner.model).named_parameters():
            if parameter.grad is not None:
                mean = parameter.grad.detach().clone()
                all_reduce(mean, 'mean')
                self._gradients[name] = mean.cpu()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the gradients to a checkpoint that holds the optimiser.

        Args:
            runner (Runner): The runner.
            checkpoint (dict): The checkpoint to be written. It is changed.
        """
        if self._gradients and 'optimizer' in checkpoint:
            checkpoint[_KEY] = self._gradients
        self._gradients = {}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take the gradients of a run that is resumed.

        Args:
            runner (Runner): The runner.
            checkpoint (dict): The content of the file.
        """
        self._gradients = checkpoint.get(_KEY, {}) if runner._resume else {}

    def before_train(self, runner: Runner) -> None:
        """Give the parameters their gradients.

        Args:
            runner (Runner): The runner.
        """
        gradients, self._gradients = self._gradients, {}
        for name, parameter in unwrap_model(runner.model).named_parameters():
            if name in gradients:
                parameter.grad = torch.empty_like(parameter).copy_(gradients[name])

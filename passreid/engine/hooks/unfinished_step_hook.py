"""What was accumulated for an unfinished step in a checkpoint."""

from collections.abc import Iterator

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from passreid.registry import HOOKS
from passreid.utils.unwrap import unwrap_model

_KEY = 'unfinished_step'


@HOOKS.register_module()
class UnfinishedStepHook(Hook):
    """Let a run that accumulates gradients go on in the middle of a step.

    A checkpoint that is written between two steps of the optimiser (``accumulative_counts``) holds
    the gradients so far, which mmengine loses, and the buffers that a module names in
    ``step_sums``: sums over the batches of a step. Of both it is the mean over the processes.

    It works with :class:`SafeRunner`, which calls :meth:`before_save_checkpoint_in_all`.
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}

    def before_save_checkpoint_in_all(self, runner: Runner) -> None:
        """Average over the processes; all of them must call this.

        Args:
            runner (Runner): The runner.
        """
        self._sums = {}
        if getattr(runner.optim_wrapper, 'should_update', lambda: True)():
            return
        model = unwrap_model(runner.model)
        gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
        for name, value in (*gradients.items(), *_step_sums(model)):
            if value is not None:
                mean = value.detach().clone()
                all_reduce(mean, 'mean')
                self._sums[name] = mean.cpu()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the sums to a checkpoint that holds the optimiser.

        Args:
            runner (Runner): The runner.
            checkpoint (dict): The checkpoint to be written. It is changed.
        """
        if self._sums and 'optimizer' in checkpoint:
            checkpoint[_KEY] = self._sums
        self._sums = {}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take the sums of a run that is resumed.

        Args:
            runner (Runner): The runner.
            checkpoint (dict): The content of the file.
        """
        self._sums = checkpoint.get(_KEY, {}) if runner._resume else {}

    def before_train(self, runner: Runner) -> None:
        """Give parameters and modules what they had summed up.

        Args:
            runner (Runner): The runner.
        """
        sums, self._sums = self._sums, {}
        model = unwrap_model(runner.model)
        for name, parameter in model.named_parameters():
            if name in sums:
                parameter.grad = torch.empty_like(parameter).copy_(sums[name])
        for name, buffer in _step_sums(model):
            if name in sums:
                buffer.copy_(sums[name])
        if sums:
            runner.logger.info(
                'The run goes on in the middle of a step: its gradients so far were in the '
                'checkpoint, so the warning that some are lost does not hold.'
            )


def _step_sums(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield the buffers that modules sum up over a step."""
    for prefix, module in model.named_modules():
        for name in getattr(module, 'step_sums', ()):
            yield f'{prefix}.{name}', getattr(module, name)

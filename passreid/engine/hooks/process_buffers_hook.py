"""Batch statistics of all processes in a checkpoint."""

import torch
from mmengine.dist import gather, get_rank, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from passreid.registry import HOOKS
from passreid.utils.unwrap import unwrap_model

_KEY = 'process_buffers'


@HOOKS.register_module()
class ProcessBuffersHook(Hook):
    """Let each process go on with its own buffers when a run is resumed within an epoch.

    The processes of a run have seen other images, so the running statistics of their batch
    normalisations differ until they are averaged at the end of an epoch. A checkpoint holds those
    of the first process; this hook adds the others where there is a difference. A run that is
    resumed by another number of processes takes the means.

    It works with :class:`SafeRunner`, which calls :meth:`before_save_checkpoint_in_all`.
    """

    def __init__(self) -> None:
        self._differing: dict[str, Tensor] = {}

    def before_save_checkpoint_in_all(self, runner: Runner) -> None:
        """Bring the buffers together; all processes must call this.

        Args:
            runner (Runner): The runner.
        """
        if get_world_size() == 1:
            return
        model = unwrap_model(runner.model)
        saved = model.state_dict().keys()
        buffers = {name: value for name, value in model.named_buffers() if name in saved}
        if not buffers:
            return
        # In float64, which holds float32 and counts exactly, all travel in one message.
        flat = torch.cat([value.detach().flatten().double() for value in buffers.values()])
        processes = gather(flat)
        if not is_main_process():
            return
        table = torch.stack(processes).cpu()
        columns = table.split([value.numel() for value in buffers.values()], dim=1)
        self._differing = {
            name: values.to(buffer.dtype).unflatten(1, buffer.shape or (1,))
            for (name, buffer), values in zip(buffers.items(), columns, strict=True)
            if not torch.equal(values, values[:1].expand_as(values))
        }

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the buffers that differ, ``(processes, ...)`` by name."""
        if self._differing:
            checkpoint[_KEY], self._differing = self._differing, {}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put the buffers of this process in the place of those of the first one."""
        if not runner._resume:
            return
        for name, values in checkpoint.get(_KEY, {}).items():
            alike = len(values) == get_world_size()
            own = values[get_rank()] if alike else values.double().mean(0).to(values.dtype)
            checkpoint['state_dict'][name] = own.view_as(checkpoint['state_dict'][name])

"""A word that one of several processes has for all of them."""

from typing import Any

import torch
import torch.distributed as dist
from mmengine.dist import get_comm_device, get_world_size
from torch import Tensor

from .delayed_values import DelayedValues

_NAME = 'raised'


class AgreedFlag:
    """A flag that any process may raise, and all see raised at the same place of their program.

    Whether one has raised it is asked in one call of :meth:`exchange` and answered in the next, so
    that nobody waits: neither for the others nor for the GPU. All processes must make the same
    calls. In a single process there is nobody to ask.

    Attributes:
        raised (bool): Whether this process has raised the flag. A signal handler may set it.
    """

    def __init__(self) -> None:
        self.raised = False
        self._question: tuple[Tensor, Any] | None = None
        self._answers = DelayedValues()

    def exchange(self) -> bool:
        """Return whether any process had raised the flag by the call before, and ask anew."""
        if get_world_size() == 1:
            return self.raised
        answer = self.settle()
        if not answer:
            self._ask()
        return answer

    def agree(self) -> bool:
        """Return whether any process has raised the flag by now. It waits for all of them."""
        return self.exchange() or (get_world_size() > 1 and self.settle())

    def settle(self) -> bool:
        """Return the answer to what was asked last, so that no question is left open."""
        if self._question is None:
            return False
        (value, work), self._question = self._question, None
        if value.device.type == 'cpu':
            work.wait()
            return bool(value.item())
        answer = self._answers.flush()
        return answer is not None and bool(answer[_NAME])

    def _ask(self) -> None:
        value = torch.tensor([float(self.raised)], device=get_comm_device())
        work = dist.all_reduce(value, op=dist.ReduceOp.MAX, async_op=True)
        if value.device.type != 'cpu':
            # Makes the stream wait, not this process.
            work.wait()
            self._answers.push({_NAME: value})
        self._question = value, work

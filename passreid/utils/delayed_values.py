"""Reading of numbers off a GPU without waiting for it."""

import torch
from torch import Tensor


class DelayedValues:
    """Hand out scalars of the device one call late, so that nobody waits for it.

    On a CPU they come at once.
    """

    def __init__(self) -> None:
        self._pending: tuple[list[str], Tensor, torch.cuda.Event | None] | None = None

    def push(self, scalars: dict[str, Tensor]) -> dict[str, float] | None:
        """Put in the scalars of this call.

        Args:
            scalars (dict[str, Tensor]): Tensors of one element each, all on one device.

        Returns:
            dict[str, float] | None: The scalars of this call on a CPU, else
            those of the call before, None when there are none.
        """
        stacked = torch.stack([value.detach().float().reshape(()) for value in scalars.values()])
        ready = self.flush()
        if stacked.device.type != 'cuda':
            self._pending = list(scalars), stacked, None
            return self.flush()
        host = torch.empty(len(stacked), pin_memory=True).copy_(stacked, non_blocking=True)
        event = torch.cuda.Event()
        event.record()
        self._pending = list(scalars), host, event
        return ready

    def flush(self) -> dict[str, float] | None:
        """Return what was put in last and not handed out yet, and wait for it."""
        if self._pending is None:
            return None
        (names, values, event), self._pending = self._pending, None
        if event is not None:
            event.synchronize()
        return dict(zip(names, values.tolist(), strict=True))

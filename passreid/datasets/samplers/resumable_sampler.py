"""A shuffling sampler that can start in the middle of an epoch."""

from collections.abc import Iterator

import torch
from mmengine.dataset import DefaultSampler

from passreid.registry import DATA_SAMPLERS

# Indices become Python integers this many at a time: millions never exist as a list.
_CHUNK = 65536


@DATA_SAMPLERS.register_module()
class ResumableSampler(DefaultSampler):
    """:class:`mmengine.dataset.DefaultSampler`, of the same order and arguments, with a start.

    A run that was stopped after ``n`` samples of a rank calls ``set_epoch`` and ``set_start(n)``
    and goes on with exactly the samples that were left.
    """

    _start = 0

    def set_start(self, num_samples: int) -> None:
        """Let the next iteration, and only that, begin after some samples of this rank."""
        self._start = num_samples

    def __iter__(self) -> Iterator[int]:
        """Iterate over the indices of this rank."""
        start, self._start = self._start, 0
        return self.iterate(start)

    def iterate(self, start: int) -> Iterator[int]:
        """Return the indices of this rank from a place in the epoch on."""
        size = len(self.dataset)
        order = torch.arange(size)
        if self.shuffle:
            generator = torch.Generator()
            generator.manual_seed(self.seed + self.epoch)
            order = torch.randperm(size, generator=generator)
        first = min(self.rank + start * self.world_size, self.total_size)
        # Padded from its own beginning.
        own = order[torch.arange(first, self.total_size, self.world_size) % size]
        return (index for chunk in own.split(_CHUNK) for index in chunk.tolist())

"""A shuffling sampler that can start in the middle of an epoch."""

from collections.abc import Iterator

import torch
from mmengine.dataset import DefaultSampler

from passreid.registry import DATA_SAMPLERS

# Indices become Python integers this many at a time, so that an epoch over millions of
# images never exists as a list.
CHUNK = 65536


@DATA_SAMPLERS.register_module()
class ResumableSampler(DefaultSampler):
    """:class:`mmengine.dataset.DefaultSampler` with a start offset.

    The order is that of ``DefaultSampler``: a permutation seeded by ``seed + epoch``, padded
    from its own beginning where ``round_up`` asks for it, of which this rank takes every
    ``world_size``-th entry. A run that was stopped after ``n`` samples of a rank calls
    ``set_epoch`` and ``set_start(n)`` and goes on with exactly the samples that were left.

    Args:
        dataset (Sized): The data set.
        shuffle (bool): Whether to shuffle. Defaults to True.
        seed (int, optional): Seed of the order, equal on all ranks; None draws one and shares
            it between the ranks. Defaults to None.
        round_up (bool): Whether to repeat samples until all ranks have equally many.
            Defaults to True.

    Examples:
        >>> sampler = ResumableSampler(range(10), seed=0)
        >>> order = list(sampler)
        >>> sampler.set_start(4)
        >>> list(sampler) == order[4:]
        True
    """

    _start = 0

    def set_start(self, num_samples: int) -> None:
        """Let the next iteration, and only that, begin after some samples of this rank.

        Args:
            num_samples (int): How many samples of this rank to leave out, from 0 to
                ``len(self)``, which stays the length of the whole epoch.

        Raises:
            ValueError: When ``num_samples`` is negative or longer than an epoch.
        """
        if not 0 <= num_samples <= self.num_samples:
            raise ValueError(
                f'the start must lie between 0 and {self.num_samples}, the samples of an epoch '
                f'of this rank, but is {num_samples}'
            )
        self._start = num_samples

    def __iter__(self) -> Iterator[int]:
        """Iterate over the indices of this rank."""
        start, self._start = self._start, 0
        return self.iterate(start)

    def iterate(self, start: int) -> Iterator[int]:
        """Yield the indices of this rank from a place in the epoch on.

        Args:
            start (int): How many samples of this rank to leave out.
        """
        size = len(self.dataset)
        if self.shuffle:
            generator = torch.Generator()
            generator.manual_seed(self.seed + self.epoch)
            order = torch.randperm(size, generator=generator)
        else:
            order = torch.arange(size)
        first = self.rank + start * self.world_size
        if first >= self.total_size:
            return iter(())
        own = order[torch.arange(first, self.total_size, self.world_size) % size]
        return (index for chunk in own.split(CHUNK) for index in chunk.tolist())

"""Samplers that can start in the middle of an epoch: of images, and of groups of identities."""

from collections.abc import Iterator, Sized

import numpy as np
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


class RedrawnIndex(int):
    """Index of a sample that was drawn before in this epoch, ``repeat`` times.

    The random numbers of a sample depend on (seed, epoch, index), so copies would be augmented
    alike: a data set of passreid lets ``repeat`` change them. Elsewhere it is an int.
    """

    repeat: int

    def __new__(cls, index: int, repeat: int = 0) -> 'RedrawnIndex':
        """Make an int that carries ``repeat``."""
        number = super().__new__(cls, index)
        number.repeat = repeat
        return number


class GroupedSampler(ResumableSampler):
    """Sampler whose batches are P groups of K images of one identity each.

    All ranks derive the same epoch from (seed, epoch), of which each takes its own batches. An
    image that is drawn again in an epoch comes as :class:`RedrawnIndex`. ``batch_size`` (P x K) is
    that of the data loader: :func:`passreid.apis.build_runner` fills it in. ``seed`` is equal on
    all ranks; None draws one and shares it.
    """

    def __init__(
        self, dataset: Sized, batch_size: int | None, images_per_id: int, seed: int | None = None
    ) -> None:
        if batch_size is None or not 0 < images_per_id <= batch_size or batch_size % images_per_id:
            raise ValueError(
                f'batch_size={batch_size} of {type(self).__name__} is no multiple of images_per_id='
                f'{images_per_id}. It is that of the data loader: passreid.apis.build_runner fills '
                'it in, any other program must give it'
            )
        super().__init__(dataset, seed=seed)
        self.batch_size = batch_size
        self.images_per_id = images_per_id
        self.ids_per_batch = batch_size // images_per_id

    def draw_epoch(self, generator: np.random.Generator) -> np.ndarray:
        """Draw the indices of all ranks, (steps, world_size, batch_size) int64."""
        raise NotImplementedError

    def iterate(self, start: int) -> Iterator[int]:
        """Return the indices of this rank from a place in the epoch on."""
        epoch = self.draw_epoch(np.random.default_rng((self.seed, self.epoch)))
        repeats = count_repeats(epoch.ravel()).reshape(epoch.shape)
        own, own_repeats = (array[:, self.rank].ravel()[start:] for array in (epoch, repeats))
        return (
            RedrawnIndex(index, repeat) if repeat else index
            for index, repeat in zip(own.tolist(), own_repeats.tolist(), strict=True)
        )


def read_column(dataset: Sized, name: str) -> np.ndarray:
    """Read the ``pids`` or ``cam_ids`` of a data set, (N,) int64."""
    column = getattr(dataset, name, None)
    if column is None:
        raise TypeError(
            f'{type(dataset).__name__} has no `{name}` to draw identities by: use a ReIDDataset, '
            'joint ones in a ReIDConcatDataset'
        )
    return np.asarray(column).astype(np.int64, casting='same_kind')


def count_repeats(indices: np.ndarray) -> np.ndarray:
    """Count for each of (N,) integers how often it occurred before."""
    order = np.argsort(indices, kind='stable')
    _, first, counts = np.unique(indices[order], return_index=True, return_counts=True)
    repeats = np.empty(len(indices), np.int64)
    repeats[order] = np.arange(len(indices)) - np.repeat(first, counts)
    return repeats

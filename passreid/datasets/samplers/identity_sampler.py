"""Batches of P identities with K images each."""

import logging
from collections.abc import Sized

import numpy as np
from mmengine.logging import print_log

from passreid.registry import DATA_SAMPLERS

from .resumable_sampler import GroupedSampler, read_column

# Odd, so that their median is a length that occurs.
_TRIAL_EPOCHS = 25


@DATA_SAMPLERS.register_module()
class IdentitySampler(GroupedSampler):
    """Draw P identities x K images for each batch.

    In each epoch the images of an id are shuffled and cut into groups of K; what is left over
    waits for another epoch. An id with fewer than K images makes one group, drawn with
    replacement. The groups fill batches of P different ids at random, until fewer than P ids have
    groups left: as many batches as can be filled, or (``batches='published'``) each from ids
    drawn at random among those with groups left, which ends a few batches earlier. That number
    would depend on chance: here it is the median over 25 epochs, longer epochs are cut and shorter
    ones drawn anew, so that every epoch has the same length.

    The batches of all ranks together are the batch that one process would draw, of different ids
    if there are enough. Samples of pid -1 are left out.

    Args:
        dataset (Sized): A data set with ``pids``, such as :class:`ReIDDataset`.
        batch_size (int, optional): P x K, see :class:`.GroupedSampler`.
        images_per_id (int): K. Defaults to 4.
        seed (int, optional): See :class:`.GroupedSampler`.
        batches (str): ``'all'``, which leaves the fewest images out, or ``'published'``, for as
            many optimizer steps as the published recipe takes. Defaults to ``'all'``.
    """

    def __init__(
        self,
        dataset: Sized,
        batch_size: int | None = None,
        images_per_id: int = 4,
        seed: int | None = None,
        batches: str = 'all',
    ) -> None:
        super().__init__(dataset, batch_size, images_per_id, seed)
        if batches not in ('all', 'published'):
            raise ValueError(f"batches must be 'all' or 'published', but is {batches!r}")
        self._draw = schedule_groups if batches == 'all' else draw_published
        pids = read_column(dataset, 'pids')
        self._by_id = np.argsort(pids, kind='stable')[(pids < 0).sum() :]
        # Where the images of each id begin in `_by_id`, and how many there are.
        _, self._first, self._counts = np.unique(
            pids[self._by_id], return_index=True, return_counts=True
        )
        if len(self._counts) < self.ids_per_batch:
            raise ValueError(
                f'a batch of {batch_size} holds {self.ids_per_batch} ids with {images_per_id} '
                f'images each, but the data set has only {len(self._counts)} ids: use a smaller '
                'batch_size or more images_per_id'
            )
        if self.ids_per_batch == 1:
            print_log(
                f'batch_size={batch_size} with images_per_id={images_per_id} makes batches of one '
                'id: a triplet loss has no negatives and learns nothing; use a larger batch_size',
                'current',
                logging.WARNING,
            )
        self._groups = np.maximum(self._counts // images_per_id, 1)
        # Ids of what is scheduled at once: a step of all ranks, or else a batch of one.
        together = self.ids_per_batch * self.world_size
        self._scheduled = together if len(self._counts) >= together else self.ids_per_batch
        generator = np.random.default_rng(0)
        trials = 1 if batches == 'all' else _TRIAL_EPOCHS
        lengths = sorted(
            len(self._draw(self._groups, self._scheduled, generator)) for _ in range(trials)
        )
        self.num_steps = lengths[trials // 2] * self._scheduled // together
        self.num_samples = self.num_steps * self.batch_size

    def draw_epoch(self, generator: np.random.Generator) -> np.ndarray:
        """Draw the indices of all ranks, (steps, world_size, batch_size) int64."""
        # The images of all groups, id by id, (G, K).
        owners = np.repeat(np.arange(len(self._groups)), self._groups)
        number = np.arange(len(owners)) - (np.cumsum(self._groups) - self._groups)[owners]
        places = number[:, None] * self.images_per_id + np.arange(self.images_per_id)
        few = np.flatnonzero(self._counts[owners] < self.images_per_id)
        draws = generator.random((len(few), self.images_per_id))
        places[few] = draws * self._counts[owners[few], None]
        of_image = np.repeat(np.arange(len(self._counts)), self._counts)
        shuffled = self._by_id[np.lexsort((generator.random(len(self._by_id)), of_image))]
        images = shuffled[self._first[owners, None] + places]
        shape = self.num_steps, self.world_size, self.batch_size
        used = self.num_steps * self.world_size * self.ids_per_batch
        while True:
            schedule = self._draw(self._groups, self._scheduled, generator).ravel()
            if len(schedule) >= used:
                return images[schedule[:used]].reshape(shape)


def count_batches(groups: np.ndarray, ids_per_batch: int) -> int:
    """Return how many batches of different ids (N,) groups of each id can fill at most."""
    # The largest B for which min(groups, B).sum() >= ids_per_batch * B.
    batches = np.arange(1, groups.sum() // ids_per_batch + 1)
    with_as_many = len(groups) - np.searchsorted(np.sort(groups), batches)
    return int((np.cumsum(with_as_many) >= ids_per_batch * batches).sum())


def schedule_groups(
    groups: np.ndarray, ids_per_batch: int, generator: np.random.Generator
) -> np.ndarray:
    """Spread (N,) groups of each id over as many batches of different ids as possible, at random.

    The ids, in random order, fill a table of ``ids_per_batch`` rows with their groups; a row has an
    entry for each batch, at random, but for an id that continues in the next row. Returns groups,
    numbered through id by id, (batches, ids_per_batch) int64.
    """
    num_batches = count_batches(groups, ids_per_batch)
    used = np.minimum(groups, num_batches)
    spare = int(used.sum()) - ids_per_batch * num_batches
    # Fewer than ids_per_batch: each from another id, and from none its only one if possible.
    used[np.argsort(generator.random(len(used)) + (used > 1))[len(used) - spare :]] -= 1
    ids = generator.permutation(len(used))
    owners = np.repeat(ids, used[ids])
    first = np.cumsum(used[ids]) - used[ids]
    numbers = np.arange(len(owners)) - np.repeat(first, used[ids])
    numbers += (np.cumsum(groups) - groups)[owners]
    schedule = np.empty((num_batches, ids_per_batch), np.int64)
    rows = owners.reshape(ids_per_batch, num_batches)
    batches = np.empty(0, np.int64)
    for row, own in enumerate(rows):
        # The id that the row begins with may not go where the row before has it.
        taken = batches[rows[row - 1] == own[0]] if row else batches
        order = generator.permutation(num_batches)
        allowed = np.isin(order, taken, invert=True)
        head = np.flatnonzero(allowed)[: int((own == own[0]).sum())]
        batches = np.concatenate([order[head], np.delete(order, head)])
        schedule[batches, row] = numbers[row * num_batches : (row + 1) * num_batches]
    # Neighbors in the order of ids share a row: mixed, so that ranks do not share ids.
    return generator.permuted(schedule, axis=1)


def draw_published(
    groups: np.ndarray, ids_per_batch: int, generator: np.random.Generator
) -> np.ndarray:
    """Draw each batch at random from the ids that have groups left; see :func:`schedule_groups`."""
    following = np.cumsum(groups) - groups
    ends = following + groups
    schedule = []
    while len(ids := np.flatnonzero(following < ends)) >= ids_per_batch:
        chosen = generator.choice(ids, ids_per_batch, replace=False)
        schedule.append(following[chosen])
        following[chosen] += 1
    return np.array(schedule)

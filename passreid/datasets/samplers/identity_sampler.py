"""Batches of P identities with K images each."""

import logging
from collections.abc import Sized

import numpy as np

from passreid.registry import DATA_SAMPLERS
from passreid.utils.log_once import log_once

from .grouped_sampler import GroupedSampler, read_column
from .identity_schedule import draw_published, schedule_groups

# Odd, so that their median is a length that occurs.
_TRIAL_EPOCHS = 25


@DATA_SAMPLERS.register_module()
class IdentitySampler(GroupedSampler):
    """Draw P identities x K images for each batch.

    In each epoch the images of an id are shuffled and cut into groups of K; what is left over
    waits for another epoch. An id with fewer than K images makes one group, drawn with
    replacement. The groups fill batches of P different ids at random, until fewer than P ids have
    groups left: as many batches as can be filled, or (``batches='published'``) each from ids
    drawn at random among those with groups left, which ends a few batches earlier.

    The number of batches depends on the numbers of images alone, so it is the same in every
    epoch, as mmengine's loops and schedules need it. That of the published rule would depend on
    chance: here it is the median over 25 epochs, longer epochs are cut and shorter ones drawn anew.

    In a distributed run, a step takes world_size x P different ids, or P different ones on
    each rank if there are not so many. All ranks have equally many batches; those of a step
    together are the batch that one process would draw. Samples of pid -1 are left out.

    Args:
        dataset (Sized): A data set with ``pids``, such as :class:`ReIDDataset`.
        batch_size (int, optional): P x K, the batch size of the data loader. Left out in a
            config: :func:`passreid.apis.build_runner` fills it in. Defaults to None.
        images_per_id (int): K. Defaults to 4.
        seed (int, optional): Seed, equal on all ranks; None draws one and shares it between
            the ranks. Defaults to None.
        batches (str): ``'all'``, which leaves the fewest images out, or ``'published'``, for as
            many optimiser steps as the published recipe takes. Defaults to ``'all'``.

    Raises:
        ValueError: When ``batch_size`` is missing or no multiple of ``images_per_id``, the data set
            has fewer than P ids, or ``batches`` is neither.
        TypeError: When the data set has no ``pids``.

    Examples:
        >>> class Crops(list):
        ...     pids = [0] * 4 + [1] * 5 + [2]
        >>> sampler = IdentitySampler(Crops(range(10)), batch_size=4, images_per_id=2, seed=0)
        >>> len(sampler), len(list(sampler))
        (8, 8)
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
        self.batches = batches
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
            log_once(
                logging.WARNING,
                f'batch_size={batch_size} with images_per_id={images_per_id} makes batches of one '
                'id: a triplet loss has no negatives and learns nothing; use a larger batch_size',
            )
        self._groups = np.maximum(self._counts // images_per_id, 1)
        # Ids of what is scheduled at once: a step of all ranks, or else a batch of one.
        together = self.ids_per_batch * self.world_size
        enough = len(self._counts) >= together
        self._scheduled_ids = together if enough else self.ids_per_batch
        generator = np.random.default_rng(0)
        trials = 1 if batches == 'all' else _TRIAL_EPOCHS
        lengths = sorted(len(self._draw_schedule(generator)) for _ in range(trials))
        self.num_steps = lengths[trials // 2] * self._scheduled_ids // together
        self.num_samples = self.num_steps * self.batch_size

    def draw_epoch(self, generator: np.random.Generator) -> np.ndarray:
        """Draw the samples of all ranks.

        Args:
            generator (np.random.Generator): Source of randomness, seeded by (seed, epoch).

        Returns:
            np.ndarray: Indices, (steps, world_size, batch_size) int64.
        """
        images = self._draw_groups(generator)
        used = self.num_steps * self.world_size * self.ids_per_batch
        while (schedule := self._draw_schedule(generator)).size < used:
            pass
        return images[schedule.ravel()[:used]].reshape(
            self.num_steps, self.world_size, self.batch_size
        )

    def _draw_schedule(self, generator: np.random.Generator) -> np.ndarray:
        """Return numbers of groups, (B, scheduled ids) int64."""
        draw = schedule_groups if self.batches == 'all' else draw_published
        return draw(self._groups, self._scheduled_ids, generator)

    def _draw_groups(self, generator: np.random.Generator) -> np.ndarray:
        """Return the images of all groups, id by id, (G, K) int64."""
        owners = np.repeat(np.arange(len(self._groups)), self._groups)
        number = np.arange(len(owners)) - (np.cumsum(self._groups) - self._groups)[owners]
        places = number[:, None] * self.images_per_id + np.arange(self.images_per_id)
        few = np.flatnonzero(self._counts[owners] < self.images_per_id)
        draws = generator.random((len(few), self.images_per_id))
        places[few] = draws * self._counts[owners[few], None]
        of_image = np.repeat(np.arange(len(self._counts)), self._counts)
        shuffled = self._by_id[np.lexsort((generator.random(len(self._by_id)), of_image))]
        return shuffled[self._first[owners, None] + places]

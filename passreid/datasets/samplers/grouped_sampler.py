"""What the samplers of identities share."""

from collections.abc import Iterator, Sized

import numpy as np

from ..repeated_index import RepeatedIndex
from .resumable_sampler import ResumableSampler


class GroupedSampler(ResumableSampler):
    """Sampler whose batches are P groups of K images of one identity each.

    All ranks derive the same epoch from (seed, epoch), :meth:`draw_epoch`, of which each takes
    its own batches. An image that is drawn again in an epoch comes as
    :class:`passreid.datasets.repeated_index.RepeatedIndex`.

    Args:
        dataset (Sized): The data set.
        batch_size (int, optional): Images of a batch of this process, as the data loader has
            it. :func:`passreid.apis.build_runner` fills it in; else it must be given.
        images_per_id (int): K, a divisor of ``batch_size``.
        seed (int, optional): Seed, equal on all ranks; None draws one and shares it between
            the ranks. Defaults to None.

    Raises:
        ValueError: When ``batch_size`` is missing or no multiple of ``images_per_id``.
    """

    def __init__(
        self, dataset: Sized, batch_size: int | None, images_per_id: int, seed: int | None = None
    ) -> None:
        name = type(self).__name__
        if batch_size is None:
            raise ValueError(
                f'{name} needs the batch_size of its data loader: passreid.apis.build_runner '
                'fills it in, any other program must give it'
            )
        if images_per_id < 1 or batch_size < 1 or batch_size % images_per_id:
            raise ValueError(
                f'batch_size={batch_size} of {name} is no multiple of images_per_id={images_per_id}'
            )
        super().__init__(dataset, seed=seed)
        self.batch_size = batch_size
        self.images_per_id = images_per_id
        self.ids_per_batch = batch_size // images_per_id

    def draw_epoch(self, generator: np.random.Generator) -> np.ndarray:
        """Draw the samples of all ranks.

        Args:
            generator (np.random.Generator): Source of randomness, seeded by (seed, epoch).

        Returns:
            np.ndarray: Indices, (steps, world_size, batch_size) int64.
        """
        raise NotImplementedError

    def iterate(self, start: int) -> Iterator[int]:
        """Yield the indices of this rank from a place in the epoch on.

        Args:
            start (int): How many samples of this rank to leave out.
        """
        epoch = self.draw_epoch(np.random.default_rng((self.seed, self.epoch)))
        visits = count_visits(epoch.ravel()).reshape(epoch.shape)
        own, own_visits = (array[:, self.rank].ravel()[start:] for array in (epoch, visits))
        return (
            RepeatedIndex(index, visit) if visit else index
            for index, visit in zip(own.tolist(), own_visits.tolist(), strict=True)
        )


def read_column(dataset: Sized, name: str) -> np.ndarray:
    """Read the ``pids`` or ``cam_ids`` of a data set.

    Args:
        dataset (Sized): The data set.
        name (str): 'pids' or 'cam_ids'.

    Returns:
        np.ndarray: (N,) int64.

    Raises:
        TypeError: When the data set does not have them.
        ValueError: When there is not one entry for each sample.
    """
    column = getattr(dataset, name, None)
    if column is None:
        raise TypeError(
            f'{type(dataset).__name__} has no `{name}` to draw identities by: use a ReIDDataset, '
            'joint ones in a ReIDConcatDataset'
        )
    column = np.asarray(column)
    if column.dtype.kind not in 'iu':
        raise TypeError(f'`{name}` of {type(dataset).__name__} are no integers, but {column.dtype}')
    column = column.astype(np.int64)
    if column.shape != (len(dataset),):
        raise ValueError(
            f'{len(dataset)} samples, but {len(column)} entries in `{name}`: a wrapper such as '
            'num_batch_per_epoch does not go with a sampler of identities'
        )
    return column


def count_visits(indices: np.ndarray) -> np.ndarray:
    """Count for each entry how often it occurred before.

    Args:
        indices (np.ndarray): (N,) int.

    Returns:
        np.ndarray: (N,) int64.

    Examples:
        >>> count_visits(np.array([5, 3, 5, 5])).tolist()
        [0, 0, 1, 2]
    """
    order = np.argsort(indices, kind='stable')
    _, first, counts = np.unique(indices[order], return_index=True, return_counts=True)
    visits = np.empty(len(indices), np.int64)
    visits[order] = np.arange(len(indices)) - np.repeat(first, counts)
    return visits

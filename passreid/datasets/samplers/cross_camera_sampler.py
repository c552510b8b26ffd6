"""Batches of clusters whose images come from different cameras."""

from collections.abc import Sequence, Sized

import numpy as np

from passreid.registry import DATA_SAMPLERS

from .distinct_draws import draw_distinct
from .grouped_sampler import GroupedSampler, read_column


@DATA_SAMPLERS.register_module()
class CrossCameraIdentitySampler(GroupedSampler):
    """Draw P clusters x K images for each of a fixed number of batches.

    The clusters are permuted, P of them make a batch, and when fewer than P are left they are
    permuted anew. With fewer clusters than P, a batch takes all of them, and some again until it
    is full, so that the batch size stays.

    For each cluster an image is drawn, its anchor, and K - 1 others from other cameras than the
    anchor's. If all images are of one camera, others of that camera are drawn, and if there is
    but one image, that one. Each draw is without replacement unless there are too few images,
    and always makes exactly K. The unknown camera -1 counts as a camera of its own.

    Args:
        dataset (Sized): A data set with ``cam_ids`` and, unless :meth:`set_labels` is called,
            ``pids``, such as :class:`ReIDDataset`.
        batch_size (int, optional): P x K, the batch size of the data loader. Left out in a
            config: :func:`passreid.apis.build_runner` fills it in. Defaults to None.
        images_per_id (int): K. Defaults to 8.
        iterations (int): Batches of an epoch. Defaults to 200.
        seed (int, optional): Seed, equal on all ranks; None draws one and shares it between
            the ranks. Defaults to None.

    Raises:
        ValueError: When ``batch_size`` is missing or no multiple of ``images_per_id``, or
            ``iterations`` is below 1.
        TypeError: When the data set has no ``cam_ids``, or no ``pids`` where they are needed.

    Source: Dai et al., `Cluster Contrast for Unsupervised Person Re-Identification
    <https://arxiv.org/abs/2103.11568>`_, ACCV 2022.

    Examples:
        >>> class Crops(list):
        ...     cam_ids = [0, 1, 1, 2]
        >>> sampler = CrossCameraIdentitySampler(
        ...     Crops('abcd'), batch_size=2, images_per_id=2, iterations=5, seed=0
        ... )
        >>> sampler.set_labels([0, 0, -1, -1])
        >>> sorted(set(sampler)), len(sampler)
        ([0, 1], 10)
    """

    def __init__(
        self,
        dataset: Sized,
        batch_size: int | None = None,
        images_per_id: int = 8,
        iterations: int = 200,
        seed: int | None = None,
    ) -> None:
        super().__init__(dataset, batch_size, images_per_id, seed)
        if iterations < 1:
            raise ValueError(f'iterations must be at least 1, but is {iterations}')
        self.iterations = iterations
        self.num_samples = iterations * self.batch_size
        self._cam_ids = read_column(dataset, 'cam_ids')
        self._labels: np.ndarray | None = None

    def set_labels(self, labels: Sequence[int] | np.ndarray) -> None:
        """Give the cluster of each image; it holds from the next iteration over the sampler on.

        Args:
            labels (Sequence[int] | np.ndarray): (N,) int, -1 for images that are left out.

        Raises:
            ValueError: When there is not one label for each sample, or all are -1.
        """
        array = np.asarray(labels)
        if array.shape != (len(self.dataset),) or array.dtype.kind not in 'iu':
            raise ValueError(
                f'labels must be {len(self.dataset)} integers, one for each sample, but are '
                f'{array.dtype} of shape {array.shape}'
            )
        if not (array >= 0).any():
            raise ValueError('no image has a label: all are left out (-1)')
        self._labels = array.astype(np.int64)

    def draw_epoch(self, generator: np.random.Generator) -> np.ndarray:
        """Draw the samples of all ranks.

        Args:
            generator (np.random.Generator): Source of randomness, seeded by (seed, epoch).

        Returns:
            np.ndarray: Indices, (steps, world_size, batch_size) int64.
        """
        if self._labels is None:
            self.set_labels(read_column(self.dataset, 'pids'))
        labels = self._labels
        assert labels is not None
        by_camera = np.lexsort((self._cam_ids, labels))[(labels < 0).sum() :]
        first, counts = _runs(labels[by_camera])
        clusters = self._draw_clusters(len(counts), generator)
        anchors = first[clusters] + draw_distinct(counts[clusters], 1, generator)[:, 0]
        others = self._draw_others(by_camera, anchors, first[clusters], counts[clusters], generator)
        images = by_camera[np.concatenate([anchors[:, None], others], axis=1)]
        return images.reshape(self.iterations, self.world_size, self.batch_size)

    def _draw_clusters(self, num_clusters: int, generator: np.random.Generator) -> np.ndarray:
        """Return the cluster of each group of the epoch, (G,) int64."""
        per_step = self.ids_per_batch * self.world_size
        # Different clusters on all ranks of a step if there are enough, else in each batch.
        together = per_step if num_clusters >= per_step else self.ids_per_batch
        num_batches = self.iterations * per_step // together
        rounds, rest = divmod(num_clusters, together)
        if rounds:
            passes = _permutations(-(-num_batches // rounds), num_clusters, generator)
            return passes[:, : num_clusters - rest].ravel()[: num_batches * together]
        repeats = -(-together // num_clusters)
        passes = _permutations(num_batches * repeats, num_clusters, generator)
        return passes.reshape(num_batches, -1)[:, :together].ravel()

    def _draw_others(
        self,
        by_camera: np.ndarray,
        anchors: np.ndarray,
        first: np.ndarray,
        counts: np.ndarray,
        generator: np.random.Generator,
    ) -> np.ndarray:
        """Return places in ``by_camera`` of K - 1 images for each anchor, (G, K - 1) int64."""
        same_first, same_counts = self._same_camera(by_camera, anchors)
        # What is passed over: the anchor's camera, else the anchor, else nothing.
        one_camera = same_counts == counts
        skip_first = np.where(one_camera, anchors, same_first)
        skip_counts = np.where(one_camera, counts > 1, same_counts)
        ranks = draw_distinct(counts - skip_counts, self.images_per_id - 1, generator)
        places = first[:, None] + ranks
        return places + skip_counts[:, None] * (places >= skip_first[:, None])

    def _same_camera(
        self, by_camera: np.ndarray, anchors: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return where the images of each anchor's cluster and camera begin, and how many."""
        assert self._labels is not None
        pairs = np.stack([self._labels[by_camera], self._cam_ids[by_camera]])
        begins = np.flatnonzero(np.r_[True, (pairs[:, 1:] != pairs[:, :-1]).any(axis=0)])
        counts = np.diff(np.r_[begins, len(by_camera)])
        run = np.searchsorted(begins, anchors, side='right') - 1
        return begins[run], counts[run]


def _permutations(number: int, size: int, generator: np.random.Generator) -> np.ndarray:
    """Return random permutations, (number, size) int64."""
    return generator.permuted(np.tile(np.arange(size), (number, 1)), axis=1)


def _runs(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each run of equal values begins, and how long it is."""
    _, first, counts = np.unique(values, return_index=True, return_counts=True)
    return first, counts

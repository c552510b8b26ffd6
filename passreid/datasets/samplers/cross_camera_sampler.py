"""Batches of clusters whose images come from different cameras."""

from collections.abc import Sequence, Sized

import numpy as np

from passreid.registry import DATA_SAMPLERS

from .resumable_sampler import GroupedSampler, read_column


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
        batch_size (int, optional): P x K, see :class:`.GroupedSampler`.
        images_per_id (int): K. Defaults to 8.
        iterations (int, optional): Batches of an epoch, on each process. With None as many as
            hold all images twice, but from 5 to 400. Defaults to 200.
        seed (int, optional): See :class:`.GroupedSampler`.

    Source: Dai et al., `Cluster Contrast for Unsupervised Person Re-Identification
    <https://arxiv.org/abs/2103.11568>`_, ACCV 2022.
    """

    def __init__(
        self,
        dataset: Sized,
        batch_size: int | None = None,
        images_per_id: int = 8,
        iterations: int | None = 200,
        seed: int | None = None,
    ) -> None:
        super().__init__(dataset, batch_size, images_per_id, seed)
        if iterations is None:
            images = self.batch_size * self.world_size
            iterations = int(np.clip(-(-2 * len(dataset) // images), 5, 400))
        if iterations < 1:
            raise ValueError(f'iterations must be at least 1, but is {iterations}')
        self.iterations = iterations
        self.num_samples = iterations * self.batch_size
        self._cam_ids = read_column(dataset, 'cam_ids')
        self._labels: np.ndarray | None = None

    def set_labels(self, labels: Sequence[int] | np.ndarray) -> None:
        """Give the cluster of each image, (N,) int, -1 for none, for the iterations that follow."""
        array = np.asarray(labels).astype(np.int64, casting='same_kind')
        if array.shape != (len(self.dataset),):
            raise ValueError(f'{len(self.dataset)} samples, but labels of shape {array.shape}')
        self._labels = array

    def draw_epoch(self, generator: np.random.Generator) -> np.ndarray:
        """Draw the indices of all ranks, (steps, world_size, batch_size) int64."""
        if self._labels is None:
            self.set_labels(read_column(self.dataset, 'pids'))
        labels = self._labels
        assert labels is not None
        # The images of a cluster stand together, in it those of a camera.
        images = np.lexsort((self._cam_ids, labels))[(labels < 0).sum() :]
        _, first, counts = np.unique(labels[images], return_index=True, return_counts=True)
        clusters = self._draw_clusters(len(counts), generator)
        first, counts = first[clusters], counts[clusters]
        anchors = first + draw_distinct(counts, 1, generator)[:, 0]
        # Where the images of the anchor's cluster and camera begin, and how many there are.
        pairs = np.stack([labels[images], self._cam_ids[images]])
        begins = np.flatnonzero(np.r_[True, (pairs[:, 1:] != pairs[:, :-1]).any(axis=0)])
        run = np.searchsorted(begins, anchors, side='right') - 1
        same_counts = np.diff(np.r_[begins, len(images)])[run]
        # What is passed over: the anchor's camera, else the anchor, else nothing.
        one_camera = same_counts == counts
        skip_first = np.where(one_camera, anchors, begins[run])
        skip_counts = np.where(one_camera, counts > 1, same_counts)
        others = first[:, None] + draw_distinct(
            counts - skip_counts, self.images_per_id - 1, generator
        )
        others += skip_counts[:, None] * (others >= skip_first[:, None])
        drawn = images[np.concatenate([anchors[:, None], others], axis=1)]
        return drawn.reshape(self.iterations, self.world_size, self.batch_size)

    def _draw_clusters(self, num_clusters: int, generator: np.random.Generator) -> np.ndarray:
        """Return the cluster of each group of the epoch, (G,) int64."""
        per_step = self.ids_per_batch * self.world_size
        # Different clusters on all ranks of a step if there are enough, else in each batch.
        together = per_step if num_clusters >= per_step else self.ids_per_batch
        num_batches = self.iterations * per_step // together
        rounds, rest = divmod(num_clusters, together)
        repeats = -(-together // num_clusters)
        number = -(-num_batches // rounds) if rounds else num_batches * repeats
        passes = generator.permuted(np.tile(np.arange(num_clusters), (number, 1)), axis=1)
        if rounds:
            return passes[:, : num_clusters - rest].ravel()[: num_batches * together]
        return passes.reshape(num_batches, -1)[:, :together].ravel()


def draw_distinct(counts: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray:
    """Draw (N, size) numbers below (N,) counts, with replacement where there are too few."""
    # Floyd's algorithm (https://doi.org/10.1145/30401.315746) for all rows together.
    draws = np.empty((len(counts), size), np.int64)
    enough = counts >= size
    for column in range(size):
        # With replacement every number is allowed in every column.
        last = np.where(enough, counts - size + column, counts - 1)
        draw = (generator.random(len(counts)) * (last + 1)).astype(np.int64)
        is_taken = enough & (draws[:, :column] == draw[:, None]).any(axis=1)
        draws[:, column] = np.where(is_taken, last, draw)
    return draws

"""From the tracks of several cameras to people."""

from typing import Any, NamedTuple

import numpy as np

# Far more than distances can add up to: two tracks that cannot be one person never meet.
_NEVER = 1e6
# Share of the pairs that are known to be different people that may be nearer than the threshold.
# Of 0.05 to 0.3, and no such limit, the best over four rendered scenes with two and three cameras.
_DIFFERENT = 0.2


class LinkedTracks(NamedTuple):
    """People among tracks: their number for each track, from 0, and the largest distance within."""

    people: np.ndarray
    threshold: float


def average_features(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the unit mean ``(D,)`` of the features of a track, without what does not belong.

    Features that are less like the mean than 3 times the median deviation are left out, such as
    those of boxes in which somebody else stands in front.

    Args:
        features (np.ndarray): ``(N, D)`` of unit length.
        weights (np.ndarray): ``(N,)``, positive: how well each shows the person.
    """
    mean = weights @ features
    likeness = features @ mean / np.linalg.norm(mean)
    median = np.median(likeness)
    spread = np.median(np.abs(likeness - median))
    mean = (weights * (likeness >= median - 3 * spread)) @ features
    return mean / np.linalg.norm(mean)


def cannot_link(cameras: Any, spans: Any, travel_times: Any = None) -> np.ndarray:
    """Return ``(T, T)`` bool: which tracks cannot be one person.

    They are those of one camera that overlap in time, and those of two cameras between which
    nobody can walk in the time there is.

    Args:
        cameras (Sequence[int]): ``(T,)`` from 0.
        spans (np.ndarray): ``(T, 2)``, seconds at which each track begins and ends, by one clock.
        travel_times (np.ndarray, optional): ``(C, C)`` least seconds from one camera to another,
            0 where views overlap. Defaults to None: not known.
    """
    cameras, spans = np.asarray(cameras), np.asarray(spans, dtype=np.float64)
    start, end = spans.T
    # From the end of one track to the start of the other, below 0 where they overlap.
    gap = np.maximum(start[None] - end[:, None], start[:, None] - end[None])
    same = cameras[:, None] == cameras[None]
    impossible = same & (gap < 0)
    if travel_times is not None:
        least = np.asarray(travel_times, dtype=np.float64)[cameras[:, None], cameras[None]]
        first = start[:, None] <= start[None]
        impossible |= ~same & (gap < np.where(first, least, least.T)) & (least > 0)
    np.fill_diagonal(impossible, False)
    return impossible


def link_tracks(
    features: np.ndarray, impossible: np.ndarray, threshold: float | None = None
) -> LinkedTracks:
    """Cluster tracks into people by average linkage; pairs that cannot be are never joined.

    Distances are those of cosines after the mean of all features is taken off: what all people of
    a scene have in common says nothing, and a threshold means the same for every model.

    Args:
        features (np.ndarray): ``(T, D)``.
        impossible (np.ndarray): ``(T, T)`` bool, of :func:`cannot_link`.
        threshold (float, optional): People are not joined when the mean cosine distance of their
            tracks is larger. Defaults to None: of all ways to cut the tree, the one with the
            best silhouette at which at most a fifth of the impossible pairs are so near.

    Returns:
        LinkedTracks: Numbers ``(T,)`` in the order of the tracks, and the threshold, which is 0
            when the tracks are too few to find one.
    """
    # Their import changes the environment.
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform
    from sklearn.metrics.pairwise import cosine_distances

    if len(features) < 2:
        return LinkedTracks(np.zeros(len(features), int), threshold or 0.0)
    distances = np.maximum(cosine_distances(features - features.mean(axis=0)), 0)
    kept = np.where(impossible, _NEVER, distances)
    tree = linkage(squareform(kept, checks=False), 'average')
    if threshold is None:
        threshold = _best_threshold(tree, distances, impossible)
    found = fcluster(tree, threshold, 'distance')
    _, first, people = np.unique(found, return_index=True, return_inverse=True)
    return LinkedTracks(np.argsort(np.argsort(first))[people], threshold)


def _best_threshold(tree: np.ndarray, distances: np.ndarray, impossible: np.ndarray) -> float:
    """Return where to cut a tree: the best silhouette, below most pairs of different people."""
    from scipy.cluster.hierarchy import fcluster
    from sklearn.metrics import silhouette_score

    heights = tree[:, 2][tree[:, 2] <= distances.max()]
    cuts = np.append((heights[:-1] + heights[1:]) / 2, heights[-1:] + 1e-6)
    if impossible.any():
        cuts = cuts[cuts <= np.quantile(distances[impossible], _DIFFERENT)]
    apart = np.where(impossible, distances.max(), distances)
    best, score = 0.0, -1.0
    for cut in cuts:
        labels = fcluster(tree, cut, 'distance')
        if 1 < labels.max() < len(labels):
            found = silhouette_score(apart, labels, metric='precomputed')
            if found > score:
                best, score = float(cut), found
    return best

"""k-reciprocal sets and their Jaccard distance on dense matrices, word by word and slow."""

import numpy as np


def squared_distances(features):
    """Squared Euclidean distances ``(N, N)`` in float64."""
    return ((features[:, None].astype(np.float64) - features[None]) ** 2).sum(-1)


def neighbour_lists(distances, length):
    """Nearest items, each its own first; of equal distances the smaller index is nearer."""
    number = len(distances)
    return [
        sorted(range(number), key=lambda j, i=i: (i != j, distances[i, j], j))[:length]
        for i in range(number)
    ]


def expanded_sets(lists, k):
    """Reciprocal neighbours and the halves that lie in them for more than two thirds."""

    def reciprocal(item, length):
        return {j for j in lists[item][:length] if item in lists[j][:length]}

    half = int(np.around(k / 2)) + 1
    sets = []
    for item in range(len(lists)):
        core = reciprocal(item, len(lists[item]))
        whole = set(core)
        for candidate in core:
            smaller = reciprocal(candidate, half)
            if len(smaller & core) / len(smaller) > 2 / 3 + 1e-9:
                whole |= smaller
        sets.append(sorted(whole))
    return sets


def weighted_rows(sets, distances):
    """Dense rows ``(N, N)``: ``exp(-distance)`` on the set of each item, with the sum 1."""
    rows = np.zeros(distances.shape)
    for item, members in enumerate(sets):
        weights = np.exp(-distances[item, members])
        rows[item, members] = weights / weights.sum()
    return rows


def expanded_rows(rows, lists, k2):
    """Mean of the rows of the first ``k2`` neighbours."""
    return np.stack([rows[members[:k2]].mean(0) for members in lists])


def jaccard(rows, others):
    """Jaccard distances of all pairs: 1 less the sum of minima by the sum of maxima."""
    pairs = rows[:, None], others[None]
    return 1 - np.minimum(*pairs).sum(-1) / np.maximum(*pairs).sum(-1)


def literal_re_ranking(query, gallery, k1=20, k2=6, lambda_value=0.3):
    """Re-ranked distances ``(Q, G)``."""
    features = np.concatenate([query, gallery])
    distances = squared_distances(features)
    farthest = distances.max(1, keepdims=True)
    original = distances / np.where(farthest > 0, farthest, 1)
    lists = neighbour_lists(distances, max(k1 + 1, k2))
    rows = weighted_rows(expanded_sets([one[: k1 + 1] for one in lists], k1), original)
    rows = expanded_rows(rows, lists, k2)
    cut = len(query)
    mixed = (1 - lambda_value) * jaccard(rows[:cut], rows[cut:])
    return mixed + lambda_value * original[:cut, cut:]


def people(seed, number, num_ids, dims=8, spread=2):
    """Draw features of whole numbers, whose distances float32 holds exactly, and their ids."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, num_ids, number)
    centres = rng.integers(-12, 13, (num_ids, dims))
    features = centres[ids] + rng.integers(-spread, spread + 1, (number, dims))
    return features.astype(np.float32), ids


def literal_jaccard(features, k1=30, k2=6):
    """Distances ``(N, N)`` to cluster by, of features whose products float64 holds exactly."""
    distances = squared_distances(features)
    lists = neighbour_lists(distances, max(k1, k2))
    unlike = 2 - 2 * features.astype(np.float64) @ features.T
    rows = weighted_rows(
        expanded_sets([one[:k1] for one in lists], k1), unlike - unlike.min(1, keepdims=True)
    )
    return np.maximum(jaccard(*2 * (expanded_rows(rows, lists, k2),)), 0)

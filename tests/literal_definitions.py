"""Evaluation, reciprocal neighbors and Jaccard distances, word by word and slow."""

import numpy as np


def literal_ranking(
    distances, q_pids, g_pids, q_camids, g_camids, same_image=None, gallery_camera=None
):
    """Rank and score each query by itself.

    Returns:
        list[dict]: For each query ``kept`` (gallery items in their order), and with a match
        ``average_precision``, ``first``, ``inverse_negative_penalty``.
    """
    scores = []
    for query, line in enumerate(distances):
        ranked = sorted(range(len(line)), key=lambda item, line=line: (line[item], item))
        kept = []
        for item in ranked:
            known = q_camids[query] != -1 and g_camids[item] != -1
            same_camera = known and q_camids[query] == g_camids[item]
            same_id = q_pids[query] == g_pids[item]
            same_file = same_image is not None and same_image[query] == item
            other_camera = gallery_camera is not None and g_camids[item] != gallery_camera
            if not (same_id and same_camera) and not same_file and not other_camera:
                kept.append(item)
        ranks = [rank for rank, item in enumerate(kept, 1) if g_pids[item] == q_pids[query]]
        score = {'kept': kept}
        if ranks:
            precisions = [found / rank for found, rank in enumerate(ranks, 1)]
            score['average_precision'] = sum(precisions) / len(precisions)
            score['first'] = ranks[0]
            score['inverse_negative_penalty'] = len(ranks) / ranks[-1]
        scores.append(score)
    return scores


def literal_summary(scores, max_rank):
    """Mean average precision, CMC and mean inverse negative penalty of the queries with a match."""
    valid = [score for score in scores if 'first' in score]
    cmc = [np.mean([score['first'] <= rank for score in valid]) for rank in range(1, max_rank + 1)]
    return (
        np.mean([score['average_precision'] for score in valid]),
        np.array(cmc),
        np.mean([score['inverse_negative_penalty'] for score in valid]),
    )


def random_people(seed, levels=None):
    """Draw a small test set: distances, labels; ``levels`` is how many distances differ.

    Cameras may be unknown or only one, queries without a match and copies of items occur.
    """
    rng = np.random.default_rng(seed)
    num_queries, num_items = rng.integers(1, 30), rng.integers(1, 80)
    num_ids, num_cameras = rng.integers(1, 12), rng.integers(1, 5)
    lowest = rng.integers(-1, 1)
    q_pids, g_pids = (rng.integers(0, num_ids, n) for n in (num_queries, num_items))
    q_camids, g_camids = (rng.integers(lowest, num_cameras, n) for n in (num_queries, num_items))
    # One match at least, so that there is something to score.
    q_pids[0], q_camids[0], g_camids[-1] = g_pids[-1], 0, 1
    distances = rng.random((num_queries, num_items))
    if levels:
        distances = np.floor(distances * levels)
    same_image = np.where(
        rng.random(num_queries) < 0.3, rng.integers(0, num_items, num_queries), -1
    )
    same_image[0] = -1
    return distances, (q_pids, g_pids, q_camids, g_camids), same_image


def squared_distances(features):
    """Squared Euclidean distances ``(N, N)`` in float64."""
    return ((features[:, None].astype(np.float64) - features[None]) ** 2).sum(-1)


def neighbor_lists(distances, length):
    """Nearest items, each its own first; of equal distances the smaller index is nearer."""
    number = len(distances)
    return [
        sorted(range(number), key=lambda j, i=i: (i != j, distances[i, j], j))[:length]
        for i in range(number)
    ]


def expanded_sets(lists, k):
    """Reciprocal neighbors and the halves that lie in them for more than two thirds."""

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
    """Mean of the rows of the first ``k2`` neighbors."""
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
    lists = neighbor_lists(distances, max(k1 + 1, k2))
    rows = weighted_rows(expanded_sets([one[: k1 + 1] for one in lists], k1), original)
    rows = expanded_rows(rows, lists, k2)
    cut = len(query)
    mixed = (1 - lambda_value) * jaccard(rows[:cut], rows[cut:])
    return mixed + lambda_value * original[:cut, cut:]


def people(seed, number, num_ids, dims=8, spread=2):
    """Draw features of whole numbers, whose distances float32 holds exactly, and their ids."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, num_ids, number)
    centers = rng.integers(-12, 13, (num_ids, dims))
    features = centers[ids] + rng.integers(-spread, spread + 1, (number, dims))
    return features.astype(np.float32), ids


def literal_jaccard(features, k1=30, k2=6):
    """Distances ``(N, N)`` to cluster by, of features whose products float64 holds exactly."""
    distances = squared_distances(features)
    lists = neighbor_lists(distances, max(k1, k2))
    unlike = 2 - 2 * features.astype(np.float64) @ features.T
    rows = weighted_rows(
        expanded_sets([one[:k1] for one in lists], k1), unlike - unlike.min(1, keepdims=True)
    )
    return np.maximum(jaccard(*2 * (expanded_rows(rows, lists, k2),)), 0)

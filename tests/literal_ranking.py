"""The evaluation protocol, word by word and slow."""

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

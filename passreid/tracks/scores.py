"""How well people were followed over all cameras, by TrackEval."""

from collections.abc import Sequence

import numpy as np

from .track_files import Tracks


def score_tracks(truth: Sequence[Tracks], found: Sequence[Tracks]) -> dict[str, float]:
    """Compare tracks with the true ones, over all cameras as if they were one sequence.

    Args:
        truth (Sequence[Tracks]): For each camera, with ids that are those of people.
        found (Sequence[Tracks]): For each camera, with ids that mean people, too.

    Returns:
        dict[str, float]: ``IDF1``, ``HOTA`` and its factors ``DetA`` and ``AssA``, in percent.
    """
    from trackeval.metrics import HOTA, Identity

    sides = []
    for cameras in (truth, found):
        names, ids = np.unique(np.concatenate([one.ids for one in cameras]), return_inverse=True)
        parts = np.split(ids, np.cumsum([len(one.ids) for one in cameras])[:-1])
        sides.append((len(names), parts))
    (num_truth, true_ids), (num_found, found_ids) = sides
    data: dict = dict(gt_ids=[], tracker_ids=[], similarity_scores=[])
    for true, own, t_ids, f_ids in zip(truth, found, true_ids, found_ids, strict=True):
        for frame in np.union1d(true.frames, own.frames):
            at, other = true.frames == frame, own.frames == frame
            data['gt_ids'].append(t_ids[at])
            data['tracker_ids'].append(f_ids[other])
            data['similarity_scores'].append(_overlaps(true.boxes[at], own.boxes[other]))
    data |= dict(num_gt_ids=num_truth, num_tracker_ids=num_found)
    data['num_gt_dets'] = sum(map(len, data['gt_ids']))
    data['num_tracker_dets'] = sum(map(len, data['tracker_ids']))
    data['num_timesteps'] = len(data['gt_ids'])
    hota = HOTA().eval_sequence(data)
    figures = dict(
        IDF1=Identity(dict(PRINT_CONFIG=False)).eval_sequence(data)['IDF1'],
        **{name: np.mean(hota[name]) for name in ('HOTA', 'DetA', 'AssA')},
    )
    return {name: 100 * float(value) for name, value in figures.items()}


def _overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return intersection over union ``(A, B)`` of boxes ``(A, 4)`` and ``(B, 4)``."""
    one, two = first[:, None], second[None]
    corner = np.maximum(one[..., :2], two[..., :2])
    sides = (np.minimum(one[..., 2:], two[..., 2:]) - corner).clip(0)
    shared = sides.prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (first, second)]
    return shared / (areas[0][:, None] + areas[1][None] - shared)

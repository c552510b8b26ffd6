"""Features and rankings on disk, for later analysis."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from passreid.utils.atomic_file import atomic_file

RESULT_NAME, FIGURES_NAME = 'result.npz', 'metrics.json'
_SAMPLES = ('is_query', 'img_paths', 'pids', 'cam_ids')
_RANKING = ('indices', 'distances', 'average_precision')


@dataclass(frozen=True)
class SavedResult:
    """What :class:`ReIDMetric` has saved: Q queries, G gallery images, the first K of each list.

    Attributes:
        query_paths (np.ndarray): (Q,) str.
        query_pids (np.ndarray): (Q,) int64.
        query_cam_ids (np.ndarray): (Q,) int64, -1 when unknown.
        gallery_paths (np.ndarray): (G,) str.
        gallery_pids (np.ndarray): (G,) int64.
        gallery_cam_ids (np.ndarray): (G,) int64.
        indices (np.ndarray): Gallery images found for each query, nearest first, without those
            that do not count; -1 behind the last. (Q, K) int64.
        distances (np.ndarray): Their distances, (Q, K) float32.
        average_precision (np.ndarray): In [0, 1], NaN for queries that were left out. (Q,).
    """

    query_paths: np.ndarray
    query_pids: np.ndarray
    query_cam_ids: np.ndarray
    gallery_paths: np.ndarray
    gallery_pids: np.ndarray
    gallery_cam_ids: np.ndarray
    indices: np.ndarray
    distances: np.ndarray
    average_precision: np.ndarray


def save_result(
    folder: str | Path, arrays: Mapping[str, Any], figures: Mapping[str, float]
) -> None:
    """Write arrays and figures to their files in a folder, each whole or not at all."""
    with atomic_file(Path(folder) / RESULT_NAME) as file:
        np.savez(file, **arrays)
    with atomic_file(Path(folder) / FIGURES_NAME) as file:
        file.write(f'{json.dumps(dict(figures), indent=2)}\n'.encode())


def load_result(folder: str | Path, rerank: bool = False) -> SavedResult:
    """Read the ranking that :class:`ReIDMetric` has saved; the features are left in the file.

    Args:
        folder (str | Path): Its ``save_dir``.
        rerank (bool): Whether to read the re-ranked lists. Defaults to False.

    Returns:
        SavedResult: The ranking.

    Raises:
        FileNotFoundError: When nothing was saved there.
        ValueError: When the file is damaged or another, or has no re-ranked lists.
    """
    path = Path(folder) / RESULT_NAME
    if not path.is_file():
        raise FileNotFoundError(
            f'there is no {path}: save a result with tools/test.py --out, or save_dir of ReIDMetric'
        )
    ranking = [f'rerank_{name}' if rerank else name for name in _RANKING]
    try:
        with np.load(path, allow_pickle=False) as data:
            if rerank and ranking[0] not in data:
                raise ValueError('it has no re-ranked lists: the test ran without re-ranking')
            is_query, *samples = (data[name] for name in _SAMPLES)
            lists = [data[name] for name in ranking]
    # A damaged file makes numpy raise nearly anything.
    except Exception as error:
        raise ValueError(f'{path} cannot be used: {error}') from error
    query, gallery = ([array[rows] for array in samples] for rows in (is_query, ~is_query))
    return SavedResult(*query, *gallery, *lists)

"""Features and rankings on disk, for later analysis."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

RESULT_NAME, FIGURES_NAME = 'result.npz', 'metrics.json'
_RANKING = ('indices', 'distances', 'average_precision')
_SAMPLES = ('features', 'pids', 'cam_ids', 'is_query', 'img_paths')


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
    """Write ``result.npz`` and ``metrics.json``, each whole or not at all.

    Args:
        folder (str | Path): Where to; made when missing.
        arrays (Mapping[str, np.ndarray]): What goes into the first; no objects.
        figures (Mapping[str, float]): What goes into the second.

    Raises:
        OSError: When the folder cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f'.{RESULT_NAME}.{os.getpid()}'
    with unfinished.open('wb') as file:
        np.savez(file, **arrays)
    unfinished.replace(folder / RESULT_NAME)
    unfinished.write_text(json.dumps(dict(figures), indent=2) + '\n')
    unfinished.replace(folder / FIGURES_NAME)


def load_result(folder: str | Path, rerank: bool = False) -> SavedResult:
    """Read the ranking that :class:`ReIDMetric` has saved; the features are left in the file.

    Args:
        folder (str | Path): Its ``save_dir``.
        rerank (bool): Whether to read the re-ranked lists. Defaults to False.

    Returns:
        SavedResult: The ranking.

    Raises:
        FileNotFoundError: When nothing was saved there.
        ValueError: When the file is another, or has no re-ranked lists.
    """
    path = Path(folder) / RESULT_NAME
    if not path.is_file():
        raise FileNotFoundError(
            f'there is no {path}: save a result with tools/test.py --out, or save_dir of ReIDMetric'
        )
    prefix = 'rerank_' if rerank else ''
    try:
        with np.load(path, allow_pickle=False) as data:
            names = set(data.files)
            wanted = {*_SAMPLES[1:], *(f'{prefix}{name}' for name in _RANKING)}
            arrays = {name: data[name] for name in wanted & names}
    # A damaged file makes numpy raise nearly anything.
    except Exception as error:
        raise ValueError(f'{path} is damaged, or no result: {error}') from error
    if missing := {*_SAMPLES, *_RANKING} - names:
        raise ValueError(f'{path} was not written by ReIDMetric: it lacks {sorted(missing)}')
    if f'{prefix}indices' not in names:
        raise ValueError(f'{path} has no re-ranked lists: the test ran without re-ranking')
    samples = {name: arrays[name] for name in _SAMPLES[1:]}
    ranking = {name: arrays[f'{prefix}{name}'] for name in _RANKING}
    if problem := _problem(samples, ranking):
        raise ValueError(f'{path} is damaged: {problem}')
    query = samples['is_query']
    return SavedResult(
        samples['img_paths'][query],
        samples['pids'][query],
        samples['cam_ids'][query],
        samples['img_paths'][~query],
        samples['pids'][~query],
        samples['cam_ids'][~query],
        **ranking,
    )


def _problem(samples: dict[str, np.ndarray], ranking: dict[str, np.ndarray]) -> str:
    """Say what contradicts itself; '' when nothing does."""
    kinds = {'pids': 'i', 'cam_ids': 'i', 'is_query': 'b', 'img_paths': 'U'}
    number = len(samples['is_query']) if samples['is_query'].ndim else 0
    for name, array in samples.items():
        if array.dtype.kind != kinds[name] or array.shape != (number,):
            return f'{name} is {array.dtype} of shape {array.shape}, of {number} samples'
    queries = int(samples['is_query'].sum())
    indices, distances = ranking['indices'], ranking['distances']
    if indices.dtype.kind != 'i' or indices.ndim != 2 or len(indices) != queries:
        return f'indices are {indices.dtype} of shape {indices.shape}, of {queries} queries'
    if distances.shape != indices.shape or ranking['average_precision'].shape != (queries,):
        return 'distances and average_precision are not those of the indices'
    if indices.size and not -1 <= indices.min() <= indices.max() < number - queries:
        return f'indices name images beyond the {number - queries} of the gallery'
    return ''

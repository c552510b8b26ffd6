"""Features of person images and what the data set says of them, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.structures import BaseDataElement

_FIELDS = ('gt_label', 'cam_id', 'is_query', 'sample_idx', 'img_path')


@dataclass(frozen=True)
class PersonFeatures:
    """Features of N images.

    Attributes:
        features (np.ndarray): (N, D) float32.
        pids (np.ndarray): Whom the images show, (N,) int64.
        cam_ids (np.ndarray): Cameras, -1 when unknown, (N,) int64.
        is_query (np.ndarray): (N,) bool.
        sample_ids (np.ndarray): Places in the data set, (N,) int64.
        img_paths (list[str]): N paths.
    """

    features: np.ndarray
    pids: np.ndarray
    cam_ids: np.ndarray
    is_query: np.ndarray
    sample_ids: np.ndarray
    img_paths: list[str]

    def __len__(self) -> int:
        return len(self.pids)

    def select(self, rows: np.ndarray) -> 'PersonFeatures':
        """Return some of the images: by index, or by a mask (N,) bool."""
        indices = np.flatnonzero(rows) if rows.dtype == bool else rows
        return PersonFeatures(
            self.features[indices],
            self.pids[indices],
            self.cam_ids[indices],
            self.is_query[indices],
            self.sample_ids[indices],
            [self.img_paths[index] for index in indices.tolist()],
        )


def read_batch(data_samples: Sequence[dict[str, Any] | BaseDataElement]) -> PersonFeatures:
    """Take what a ranking needs out of the predictions for a batch.

    Args:
        data_samples (Sequence[dict | BaseDataElement]): Each with ``feature``, a tensor (D,), and
            the sample fields ``gt_label``, ``cam_id``, ``is_query``, ``sample_idx`` and
            ``img_path``.

    Returns:
        PersonFeatures: On the CPU; features come there in one transfer.

    Raises:
        ValueError: When a field is missing, a feature is no vector or has another length than its
            neighbours, or a value of it is NaN or infinite; names the image.
    """
    samples = [s.to_dict() if isinstance(s, BaseDataElement) else s for s in data_samples]
    for sample in samples:
        _check_fields(sample)
    img_paths = [str(sample['img_path']) for sample in samples]
    features = _stack(samples, img_paths)
    finite = np.isfinite(features).all(axis=1)
    if not finite.all():
        bad = [path for path, sound in zip(img_paths, finite, strict=True) if not sound]
        raise ValueError(
            f'the feature of {bad[0]} is not finite, nor are those of {len(bad) - 1} other images '
            'of its batch: has training diverged, or does half precision overflow?'
        )
    pids = [torch.as_tensor(sample['gt_label']).reshape(()) for sample in samples]
    return PersonFeatures(
        features,
        torch.stack(pids).cpu().numpy().astype(np.int64),
        np.array([sample['cam_id'] for sample in samples], dtype=np.int64),
        np.array([sample['is_query'] for sample in samples], dtype=bool),
        np.array([sample['sample_idx'] for sample in samples], dtype=np.int64),
        img_paths,
    )


def concatenate(parts: Sequence[PersonFeatures]) -> PersonFeatures:
    """Put parts behind one another.

    Args:
        parts (Sequence[PersonFeatures]): At least one.

    Returns:
        PersonFeatures: All images.

    Raises:
        ValueError: When the features of the parts differ in length.
    """
    lengths = {part.features.shape[1]: part for part in parts if len(part)}
    if len(lengths) > 1:
        examples = (f'{length} at {part.img_paths[0]}' for length, part in lengths.items())
        raise ValueError(f'features differ in length: {", ".join(examples)}')
    parts = [part for part in parts if len(part)] or parts[:1]
    return PersonFeatures(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.pids for part in parts]),
        np.concatenate([part.cam_ids for part in parts]),
        np.concatenate([part.is_query for part in parts]),
        np.concatenate([part.sample_ids for part in parts]),
        [path for part in parts for path in part.img_paths],
    )


def in_order_once(people: PersonFeatures) -> PersonFeatures:
    """Sort images by their place in the data set and drop those seen before.

    Samplers hand out some samples twice to give every process as many. Data sets that were joined
    number their samples each by itself, so the path belongs to what tells samples apart.
    """
    places = zip(
        people.sample_ids.tolist(), people.is_query.tolist(), people.img_paths, strict=True
    )
    first: dict[tuple[int, bool, str], int] = {}
    for row, place in enumerate(places):
        first.setdefault(place, row)
    rows = [first[place] for place in sorted(first)]
    if rows == list(range(len(people))):
        return people
    return people.select(np.array(rows))


def _check_fields(sample: dict[str, Any]) -> None:
    if 'feature' not in sample:
        raise ValueError(
            'the model put no "feature" into its predictions: a model for re-identification does '
            '(ImageClassifier with ReIDHead), as does PASS; predictions have '
            f'{", ".join(map(str, sorted(sample)))}'
        )
    missing = [field for field in _FIELDS if sample.get(field) is None]
    if missing:
        raise ValueError(
            f'samples lack {", ".join(missing)}: data sets of passreid have them, and the pipeline '
            "must end in dict(type='PackInputs', meta_keys=('img_path', 'cam_id', 'is_query', "
            "'sample_idx'))"
        )


def _stack(samples: Sequence[dict[str, Any]], img_paths: list[str]) -> np.ndarray:
    vectors = [torch.as_tensor(sample['feature']) for sample in samples]
    for vector, path in zip(vectors, img_paths, strict=True):
        if vector.ndim != 1 or vector.shape != vectors[0].shape:
            raise ValueError(
                f'the feature of {path} has shape {tuple(vector.shape)}; expected is a vector as '
                f'long as that of {img_paths[0]}, {tuple(vectors[0].shape)}'
            )
    return torch.stack(vectors).detach().float().cpu().numpy()

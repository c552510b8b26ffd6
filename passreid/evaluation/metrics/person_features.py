"""Features of person images and what the data set says of them, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.dist import gather_object
from mmengine.structures import BaseDataElement

_ARRAYS = ('features', 'pids', 'cam_ids', 'is_query', 'sample_ids')
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
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        arrays = {name: getattr(self, name)[rows] for name in _ARRAYS}
        return PersonFeatures(**arrays, img_paths=[self.img_paths[row] for row in rows])


def read_batch(data_samples: Sequence[dict[str, Any] | BaseDataElement]) -> PersonFeatures:
    """Take what a ranking needs out of the predictions for a batch.

    Args:
        data_samples (Sequence[dict | BaseDataElement]): Each with ``feature``, a tensor (D,), and
            the sample fields ``gt_label``, ``cam_id``, ``is_query``, ``sample_idx`` and
            ``img_path``.

    Returns:
        PersonFeatures: On the CPU; features come there in one transfer.

    Raises:
        ValueError: When a field is missing or a feature is NaN or infinite.
    """
    samples = [s.to_dict() if isinstance(s, BaseDataElement) else s for s in data_samples]
    features = stack_features(samples).numpy()
    for sample in samples:
        if missing := [field for field in _FIELDS if sample.get(field) is None]:
            raise ValueError(
                f'samples lack {", ".join(missing)}: data sets of passreid have them, and the '
                "pipeline must end in dict(type='PackInputs', meta_keys=('img_path', 'cam_id', "
                "'is_query', 'sample_idx'))"
            )
    pids = [torch.as_tensor(sample['gt_label']).reshape(()) for sample in samples]
    return PersonFeatures(
        features,
        torch.stack(pids).cpu().numpy().astype(np.int64),
        np.array([sample['cam_id'] for sample in samples], dtype=np.int64),
        np.array([sample['is_query'] for sample in samples], dtype=bool),
        np.array([sample['sample_idx'] for sample in samples], dtype=np.int64),
        [str(sample['img_path']) for sample in samples],
    )


def stack_features(samples: Sequence[dict[str, Any]]) -> torch.Tensor:
    """Stack the features of predictions: ``(N, D)`` float32, on the CPU in one transfer.

    Raises:
        ValueError: When a feature is missing, NaN or infinite.
    """
    for sample in samples:
        if 'feature' not in sample:
            raise ValueError(
                'the model put no "feature" into its predictions: a model for re-identification '
                'does (ImageClassifier with ReIDHead, ClusterContrast), as does PASS; predictions '
                f'have {", ".join(map(str, sorted(sample)))}'
            )
    vectors = [torch.as_tensor(sample['feature']) for sample in samples]
    features = torch.stack(vectors).detach().float().cpu()
    if bad := (~features.isfinite().all(1)).nonzero().flatten().tolist():
        raise ValueError(
            f'the feature of {samples[bad[0]].get("img_path") or "an image"} is not finite, nor '
            f'are those of {len(bad) - 1} other images of its batch: has training diverged, or '
            'does half precision overflow?'
        )
    return features


def concatenate(parts: Sequence[PersonFeatures]) -> PersonFeatures:
    """Put parts, at least one, behind one another."""
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS}
    return PersonFeatures(**arrays, img_paths=[path for part in parts for path in part.img_paths])


def gather_features(people: PersonFeatures | None) -> PersonFeatures | None:
    """Bring the features of all processes to the first one; all of them must call this.

    Args:
        people (PersonFeatures, optional): Those of this process; None when it had no samples.

    Returns:
        PersonFeatures | None: In the first process those of all, each image once, in the order of
        the data set; None in the others, and when there are none at all.
    """
    parts = [part for part in gather_object(people) or () if part is not None]
    if not parts:
        return None
    people = concatenate(parts) if len(parts) > 1 else parts[0]
    # Samplers hand out some samples twice to give every process as many. Data sets that were joined
    # number their samples each by itself, so the path belongs to what tells samples apart.
    ids, is_query = people.sample_ids.tolist(), people.is_query.tolist()
    first: dict[tuple[int, bool, str], int] = {}
    for row, sample in enumerate(zip(ids, is_query, people.img_paths, strict=True)):
        first.setdefault(sample, row)
    rows = [first[sample] for sample in sorted(first)]
    return people if rows == list(range(len(people))) else people.select(np.array(rows))

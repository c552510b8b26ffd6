"""Features of all processes in one."""

import os

import numpy as np
import torch
from mmengine.dist import all_gather, gather, get_world_size, is_main_process
from torch import Tensor
from torch.nn import functional as F

from .person_features import PersonFeatures, concatenate


def gather_features(people: PersonFeatures | None) -> PersonFeatures | None:
    """Bring the features of all processes to the first one; all of them must call this.

    Arrays travel, not pickled samples, and only the first process holds them all.

    Args:
        people (PersonFeatures, optional): Those of this process; None when it had no samples.

    Returns:
        PersonFeatures | None: In the first process those of all, ordered by process; None in the
        others, and when there are none at all.

    Raises:
        ValueError: When the features of the processes differ in length.
    """
    if get_world_size() == 1:
        return people
    people = people or _nothing(0)
    names = np.frombuffer(b'\0'.join(map(os.fsencode, people.img_paths)), dtype=np.uint8)
    sizes = torch.tensor([len(people), people.features.shape[1], len(names)])
    all_sizes = torch.stack(all_gather(sizes))
    rows, lengths, num_bytes = all_sizes.unbind(1)
    found = lengths[rows > 0].unique().tolist()
    if len(found) > 1:
        raise ValueError(f'features differ in length between processes: {found}')
    if not found:
        return None
    if not len(people):
        people = _nothing(found[0])
    labels = np.stack([people.pids, people.cam_ids, people.is_query, people.sample_ids], axis=1)
    columns = (
        _gather_rows(torch.from_numpy(people.features), rows),
        _gather_rows(torch.from_numpy(labels), rows),
        # A copy, for torch writes to what it is given.
        _gather_rows(torch.from_numpy(names.copy()), num_bytes),
    )
    if not is_main_process():
        return None
    return concatenate([_unpack(*part) for part in zip(*columns, strict=True)])


def _nothing(length: int) -> PersonFeatures:
    integers = np.empty(0, np.int64)
    features = np.empty((0, length), np.float32)
    return PersonFeatures(features, integers, integers, integers.astype(bool), integers, [])


def _gather_rows(rows: Tensor, counts: Tensor) -> list[np.ndarray]:
    """Gather tensors of unequal length: each process sends as much as the longest."""
    missing = int(counts.max()) - len(rows)
    padded = F.pad(rows, (0, 0) * (rows.ndim - 1) + (0, missing))
    parts = zip(gather(padded), counts.tolist(), strict=False)
    return [part[:count].numpy() for part, count in parts]


def _unpack(features: np.ndarray, labels: np.ndarray, names: np.ndarray) -> PersonFeatures:
    pids, cam_ids, is_query, sample_ids = np.ascontiguousarray(labels.T)
    paths = [os.fsdecode(name) for name in names.tobytes().split(b'\0')] if len(labels) else []
    return PersonFeatures(features, pids, cam_ids, is_query.astype(bool), sample_ids, paths)

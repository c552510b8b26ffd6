"""Training on several labelled data sets together."""

import copy
import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import ConcatDataset, force_full_init

from passreid.registry import DATASETS
from passreid.utils.log_once import log_once

from .reid_dataset import ReIDDataset
from .repeated_index import RepeatedIndex, visit_of


@DATASETS.register_module()
class ReIDConcatDataset(ConcatDataset):
    """Several labelled data sets, of different persons and cameras, as one.

    The persons of the first data set become 0, 1, ... in the order of their pids, those of the
    second follow, and so on; so do the cameras. -1 (no person, unknown camera) stays. A person
    who is in two of the data sets becomes two. ``sample_idx`` counts through all data sets, and
    so do the indices that determine the random numbers of a sample.

    Args:
        datasets (Sequence[ReIDDataset | dict]): The data sets, or their configs. They are not
            changed: the concatenation has copies that share their lists of samples.
        seed (int): Seed of the samples' random numbers, instead of those of the data sets.
            Defaults to 0.
        lazy_init (bool): Whether to load the data sets on first use. Defaults to False.
        **kwargs: The other arguments of :class:`mmengine.dataset.ConcatDataset`.

    Raises:
        TypeError: When one of ``datasets`` is no :class:`ReIDDataset`.
        ValueError: When there is none.

    Examples:
        >>> dict(
        ...     type='ReIDConcatDataset',
        ...     datasets=[
        ...         dict(type='Market1501', data_root='data/market1501', pipeline=[]),
        ...         dict(type='MSMT17', data_root='data/MSMT17', pipeline=[]),
        ...     ],
        ... )  # doctest: +SKIP
    """

    def __init__(
        self,
        datasets: Sequence[ReIDDataset | dict],
        seed: int = 0,
        lazy_init: bool = False,
        **kwargs,
    ) -> None:
        if not datasets:
            raise ValueError('ReIDConcatDataset needs at least one data set')
        # Built here: mmengine would look a type up in the default scope of the moment.
        built = [DATASETS.build(entry) if isinstance(entry, dict) else entry for entry in datasets]
        for entry in built:
            if not isinstance(entry, ReIDDataset):
                raise TypeError(
                    f'{type(entry).__name__} has no persons to be told apart: ReIDConcatDataset '
                    'joins data sets that are a ReIDDataset'
                )
        self._seed = seed
        self._relabels: list[_Relabel] = []
        super().__init__(built, lazy_init=lazy_init, **kwargs)

    def full_init(self) -> None:
        """Load the data sets and number their persons and cameras through."""
        if self._fully_initialized:
            return
        super().full_init()
        num_ids = num_cameras = first = 0
        for position, dataset in enumerate(self.datasets):
            relabel = _Relabel(dataset.pids, dataset.cam_ids, num_ids, num_cameras, first)
            self.datasets[position] = dataset.as_part(first, relabel)
            self._relabels.append(relabel)
            num_ids += len(relabel.pids)
            num_cameras += len(relabel.cam_ids)
            first += len(dataset)
        self.set_seed(self._seed)
        log_once(
            logging.INFO,
            f'{len(self.datasets)} data sets joined: {num_ids} ids, {first} images, '
            f'{num_cameras} cameras',
        )

    def with_pipeline(self, pipeline: Sequence[dict | Callable]) -> 'ReIDConcatDataset':
        """Return a copy whose samples go through another pipeline; see :class:`RobustDataset`.

        Args:
            pipeline (Sequence[dict | Callable]): Transforms, or configs of transforms.
        """
        self.full_init()
        other = copy.copy(self)
        pairs = zip(self._relabels, self.datasets, strict=True)
        other.datasets = [part.with_pipeline([relabel, *pipeline]) for relabel, part in pairs]
        return other

    def set_seed(self, seed: int) -> None:
        """Change the seed; workers that are already running follow.

        Args:
            seed (int): Seed of the samples' random numbers, not negative.
        """
        self._seed = seed
        for dataset in self.datasets:
            dataset.set_seed(seed)

    def set_epoch(self, epoch: int) -> None:
        """Give every sample fresh random numbers; workers that are already running follow.

        Args:
            epoch (int): Number of the epoch, not negative.
        """
        for dataset in self.datasets:
            dataset.set_epoch(epoch)

    def bad_image_summary(self) -> dict[str, Any]:
        """What the workers of this process have met so far; see :class:`RobustDataset`."""
        parts = [dataset.bad_image_summary() for dataset in self.datasets]
        seen, bad = (sum(part[key] for part in parts) for key in ('seen', 'bad'))
        names = [name for part in parts for name in part['names']]
        return {'seen': seen, 'bad': bad, 'share': bad / max(seen, 1), 'names': names}

    def image_name(self, idx: int) -> str:
        """Path of an image, found without reading it.

        Args:
            idx (int): Index of the sample.
        """
        position, local = self._get_ori_dataset_idx(idx)
        return self.datasets[position].image_name(local)

    @force_full_init
    def get_data_info(self, idx: int) -> dict[str, Any]:
        """The fields of a sample, its person and camera numbered through.

        Args:
            idx (int): Index of the sample.
        """
        position, local = self._get_ori_dataset_idx(idx)
        return self._relabels[position](self.datasets[position].get_data_info(local))

    def _get_ori_dataset_idx(self, idx: int) -> tuple[int, int]:
        if not -len(self) <= idx < len(self):
            raise IndexError(f'sample {int(idx)} of {len(self)} samples')
        position, local = super()._get_ori_dataset_idx(int(idx))
        visit = visit_of(idx)
        return position, RepeatedIndex(local, visit) if visit else local

    @property
    def pids(self) -> np.ndarray:
        """``gt_label`` of each sample, (N,) int64."""
        self.full_init()
        pairs = zip(self._relabels, self.datasets, strict=True)
        return np.concatenate([relabel.number_pids(dataset.pids) for relabel, dataset in pairs])

    @property
    def cam_ids(self) -> np.ndarray:
        """``cam_id`` of each sample, (N,) int64."""
        self.full_init()
        pairs = zip(self._relabels, self.datasets, strict=True)
        return np.concatenate([relabel.number_cameras(part.cam_ids) for relabel, part in pairs])

    @property
    def num_ids(self) -> int:
        """How many persons there are."""
        self.full_init()
        return sum(len(relabel.pids) for relabel in self._relabels)

    @property
    def num_cameras(self) -> int:
        """How many different cameras there are, unknown ones not counted."""
        self.full_init()
        return sum(len(relabel.cam_ids) for relabel in self._relabels)


class _Relabel:
    """Transform that numbers persons, cameras and samples of one data set through.

    Args:
        pids (np.ndarray): Persons of the data set, (N,) int.
        cam_ids (np.ndarray): Its cameras, (N,) int.
        first_pid (int): Number of its first person.
        first_camera (int): Number of its first camera.
        first_index (int): Index of its first sample.
    """

    def __init__(
        self,
        pids: np.ndarray,
        cam_ids: np.ndarray,
        first_pid: int,
        first_camera: int,
        first_index: int,
    ) -> None:
        self.pids = np.unique(pids[pids != -1])
        self.cam_ids = np.unique(cam_ids[cam_ids != -1])
        self.first_pid = first_pid
        self.first_camera = first_camera
        self.first_index = first_index

    def number_pids(self, pids: np.ndarray | int) -> np.ndarray:
        """Return the numbers of persons, of the shape of ``pids``."""
        return _number(pids, self.pids, self.first_pid)

    def number_cameras(self, cam_ids: np.ndarray | int) -> np.ndarray:
        """Return the numbers of cameras, of the shape of ``cam_ids``."""
        return _number(cam_ids, self.cam_ids, self.first_camera)

    def __call__(self, info: dict[str, Any]) -> dict[str, Any]:
        info['gt_label'] = int(self.number_pids(info['gt_label']))
        info['cam_id'] = int(self.number_cameras(info['cam_id']))
        info['sample_idx'] += self.first_index
        return info


def _number(values: np.ndarray | int, known: np.ndarray, first: int) -> np.ndarray:
    """Number values through from ``first`` in the order of the ``known``; -1 stays."""
    return np.where(np.equal(values, -1), -1, first + np.searchsorted(known, values))

"""Training on several labelled data sets together."""

import copy
import logging
from collections.abc import Callable, Sequence
from typing import Any

from mmengine.dataset import ConcatDataset

from passreid.registry import DATASETS
from passreid.utils.messages import log_once

from .reid_dataset import IdentityColumns, ReIDDataset
from .samplers.grouped_sampler import RepeatedIndex


@DATASETS.register_module()
class ReIDConcatDataset(IdentityColumns, ConcatDataset):
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
        **kwargs: The other arguments of :class:`mmengine.dataset.ConcatDataset`.
    """

    def __init__(self, datasets: Sequence[ReIDDataset | dict], seed: int = 0, **kwargs) -> None:
        # Built here: mmengine would look a type up in the default scope of the moment.
        built = [DATASETS.build(entry) if isinstance(entry, dict) else entry for entry in datasets]
        for entry in built:
            if not isinstance(entry, ReIDDataset):
                raise TypeError(f'{type(entry).__name__} is no ReIDDataset: it has no persons')
        self._seed = seed
        super().__init__(built, **kwargs)

    def full_init(self) -> None:
        """Load the data sets and number their persons and cameras through."""
        if self._fully_initialized:
            return
        super().full_init()
        num_ids = num_cameras = first = 0
        for position, dataset in enumerate(self.datasets):
            self.datasets[position] = dataset.as_part(first, num_ids, num_cameras)
            num_ids += dataset.num_ids
            num_cameras += dataset.num_cameras
            first += len(dataset)
        self.set_seed(self._seed)
        log_once(
            logging.INFO,
            f'{len(self.datasets)} data sets joined: {num_ids} ids, {first} images, '
            f'{num_cameras} cameras',
        )

    def with_pipeline(self, pipeline: Sequence[dict | Callable]) -> 'ReIDConcatDataset':
        """Return a copy whose samples go through another pipeline; see :class:`ReIDDataset`."""
        self.full_init()
        other = copy.copy(self)
        other.datasets = [part.with_pipeline(pipeline) for part in self.datasets]
        return other

    def set_seed(self, seed: int) -> None:
        """Change the seed of the samples' random numbers; see :class:`ReIDDataset`."""
        self._seed = seed
        for dataset in self.datasets:
            dataset.set_seed(seed)

    def set_epoch(self, epoch: int) -> None:
        """Give every sample the random numbers of an epoch; see :class:`ReIDDataset`."""
        for dataset in self.datasets:
            dataset.set_epoch(epoch)

    def bad_image_summary(self) -> dict[str, Any]:
        """Return what the workers of this process have met so far; see :class:`ReIDDataset`."""
        first, *others = [dataset.bad_image_summary() for dataset in self.datasets]
        for part in others:
            first = {key: value + part[key] for key, value in first.items()}
        return first

    def image_name(self, idx: int) -> str:
        """Return the path of an image, found without reading it."""
        return self.get_data_info(idx)['img_path']

    def _get_ori_dataset_idx(self, idx: int) -> tuple[int, int]:
        position, local = super()._get_ori_dataset_idx(int(idx))
        visit = getattr(idx, 'visit', 0)
        return position, RepeatedIndex(local, visit) if visit else local

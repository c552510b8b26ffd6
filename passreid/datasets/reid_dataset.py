"""Base class of the labelled data sets."""

import logging
import os.path as osp
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from mmengine.logging import print_log

from passreid.registry import DATASETS
from passreid.utils.messages import printable

from .occlusion import next_of_another
from .robust_dataset import RobustDataset
from .storage.image_files import warn_of_duplicates

SPLITS = ('train', 'query', 'gallery')
# Path below the data root, pid as the file gives it, camera from 0 or -1.
Sample = tuple[str, int, int]


class IdentityColumns:
    """Persons and cameras of the samples of a data set as arrays."""

    def _column(self: Any, name: str) -> np.ndarray:
        self.full_init()
        return np.array([self.get_data_info(idx)[name] for idx in range(len(self))], np.int64)

    @property
    def pids(self) -> np.ndarray:
        """``gt_label`` of each sample, (N,) int64."""
        return self._column('gt_label')

    @property
    def cam_ids(self) -> np.ndarray:
        """``cam_id`` of each sample, (N,) int64."""
        return self._column('cam_id')

    @property
    def num_ids(self) -> int:
        """How many different pids there are, -1 not counted."""
        return len(set(self.pids.tolist()) - {-1})

    @property
    def num_cameras(self) -> int:
        """How many different cameras there are, -1 not counted."""
        return len(set(self.cam_ids.tolist()) - {-1})


@DATASETS.register_module()
class ReIDDataset(IdentityColumns, RobustDataset):
    """Labelled person crops in the splits train, query and gallery.

    A subclass says where its files are: :meth:`list_split`, ``folders`` and, where known, the
    published ``expected_counts``. Files of pid -1 (junk) are dropped from every split, those of
    ``distractor_pids`` from train.

    Each sample has ``img_path`` (str), ``gt_label`` (int: in train 0 to ``num_ids`` - 1 in the
    order of the pids, else the pid itself), ``cam_id`` (int from 0, -1 when unknown),
    ``is_query`` (bool) and ``sample_idx`` (int). Queries also have ``occluder_path`` (str), the
    next query of another person in this order; after the last comes the first.

    Args:
        data_root (str): Folder of the data set, or the folder that holds it under one of the
            names in ``root_names``.
        split (str): 'train', 'query', 'gallery' or 'test', which is query, then gallery.
            Defaults to 'train'.
        pipeline (list | tuple): Transforms, or configs of transforms. Defaults to none.
        test_mode (bool, optional): Whether a bad image is an error instead of being replaced.
            Defaults to None, which means in every split but train.
        check_duplicates (bool): Whether to warn of pictures that are there under several ids, which
            takes half a second for 13,000 crops. Nothing is left out. Defaults to True.
        **kwargs: The other arguments of :class:`.RobustDataset` (``seed``, ``max_bad_share``,
            ``bad_grace``) and of :class:`mmengine.dataset.BaseDataset`.
    """

    # What the data set may be called in `data_root`, and its folder of each split.
    root_names: tuple[str, ...] = ()
    folders: dict[str, str] = {}
    # Split to (ids, images) as published or, where they were not, commonly quoted.
    expected_counts: dict[str, tuple[int, int]] = {}
    # Pids that stand for many people: nothing to train on.
    distractor_pids: tuple[int, ...] = ()

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        pipeline: Sequence[dict | Callable] = (),
        *,
        test_mode: bool | None = None,
        check_duplicates: bool = True,
        **kwargs,
    ) -> None:
        if split not in (*SPLITS, 'test'):
            raise ValueError(f'split must be one of {SPLITS} or test, but is {split!r}')
        self.split = split
        self.check_duplicates = check_duplicates
        super().__init__(
            data_root=data_root,
            pipeline=pipeline,
            test_mode=split != 'train' if test_mode is None else test_mode,
            **kwargs,
        )

    def list_split(self, root: str, split: str) -> Iterable[Sample]:
        """List path below ``root``, pid and camera (from 0, -1 when unknown) of a split's files.

        The order must not depend on the file system. Junk and distractors are listed too.
        """
        raise NotImplementedError(f'{type(self).__name__} does not say which files it has')

    def load_data_list(self) -> list[dict[str, Any]]:
        """List the samples of this split, each with the fields named above."""
        splits = ('query', 'gallery') if self.split == 'test' else (self.split,)
        root = self._find_root(splits)
        source = f'{type(self).__name__} in {printable(root)}'
        samples: list[dict[str, Any]] = []
        persons: list[int] = []
        table = f'{source}\n{"split":<10}{"ids":>8}{"images":>10}{"cameras":>10}'
        for split in splits:
            left_out = {-1, *(self.distractor_pids if split == 'train' else ())}
            kept = [sample for sample in self.list_split(root, split) if sample[1] not in left_out]
            if not kept:
                raise ValueError(f'the {split} split of {source} is empty')
            ids = sorted({pid for _, pid, _ in kept})
            labels = {pid: label if split == 'train' else pid for label, pid in enumerate(ids)}
            for path, pid, cam_id in kept:
                fields = dict(gt_label=labels[pid], cam_id=cam_id, is_query=split == 'query')
                samples.append(dict(img_path=osp.join(root, path), **fields))
                persons.append(pid)
            cameras = {cam_id for *_, cam_id in kept} - {-1}
            table += f'\n{split:<10}{len(ids):>8}{len(kept):>10}{len(cameras):>10}'
            expected = self.expected_counts.get(split, (len(ids), len(kept)))
            if expected != (len(ids), len(kept)):
                print_log(
                    f'the {split} split of {source} has {len(kept)} images of {len(ids)} ids, the '
                    f'published one {expected[1]} of {expected[0]}: results cannot be compared',
                    'current',
                    logging.WARNING,
                )
        queries = [sample for sample in samples if sample['is_query']]
        others = next_of_another(np.array([sample['gt_label'] for sample in queries], np.int64))
        for query, other in zip(queries, others.tolist(), strict=False):
            query['occluder_path'] = queries[other]['img_path']
        print_log(table, 'current')
        if self.check_duplicates:
            files = [sample['img_path'] for sample in samples]
            warn_of_duplicates(files, persons, f'the {self.split} split of {source}')
        return samples

    def expected_files(self, split: str) -> list[tuple[str, ...]]:
        """Return what a split needs in the folder of the data set, each with its alternatives."""
        return [(f'{self.folders[split]}/',)] if split in self.folders else []

    def _find_root(self, splits: tuple[str, ...]) -> str:
        needed = [names for split in splits for names in self.expected_files(split)]
        for folder in ('', *self.root_names):
            root = osp.join(self.data_root, folder) if folder else self.data_root
            found = (any(osp.exists(osp.join(root, name)) for name in names) for names in needed)
            if osp.isdir(root) and all(found):
                return root
        files = dict.fromkeys(names for split in SPLITS for names in self.expected_files(split))
        tree = '\n'.join(f'    {" or ".join(names)}' for names in files)
        below = f' or below it as {" or ".join(self.root_names)}' if self.root_names else ''
        raise FileNotFoundError(
            f'{type(self).__name__} not found in {self.data_root}. Expected there{below}:\n'
            f'{self.data_root}/\n{tree}'
        )

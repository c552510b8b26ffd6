"""Base class of the labelled data sets."""

import logging
import os.path as osp
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from passreid.registry import DATASETS
from passreid.utils.log_once import log_once
from passreid.utils.printable import printable

from .robust_dataset import RobustDataset
from .storage.duplicate_images import warn_of_duplicates

SPLITS = ('train', 'query', 'gallery')
# Path below the data root, pid as the file gives it, camera from 0 or -1.
Sample = tuple[str, int, int]
# Fields of a sample that are kept as arrays too.
_COLUMNS = ('gt_label', 'cam_id')


@DATASETS.register_module()
class ReIDDataset(RobustDataset):
    """Labelled person crops in the splits train, query and gallery.

    A subclass says where its files are: :meth:`list_split`, ``folders`` and, where the
    published counts are known, ``expected_counts``. Files of pid -1 (junk) are dropped from
    every split, those of ``distractor_pids`` from train.

    Each sample has ``img_path`` (str), ``gt_label`` (int: in train 0 to ``num_ids`` - 1 in the
    order of the pids, else the pid itself), ``cam_id`` (int from 0, -1 when unknown),
    ``is_query`` (bool) and ``sample_idx`` (int).

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
        **kwargs: The other arguments of :class:`RobustDataset` (``seed``, ``max_bad_share``,
            ``bad_grace``) and of :class:`mmengine.dataset.BaseDataset`.
    """

    # What the data set may be called in `data_root`, and its folder of each split.
    root_names: tuple[str, ...] = ()
    folders: dict[str, str] = {}
    # Split to (ids, images) as published, and the splits whose counts are merely often quoted.
    expected_counts: dict[str, tuple[int, int]] = {}
    quoted_counts: tuple[str, ...] = ()
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
            raise ValueError(
                f"split must be 'train', 'query', 'gallery' or 'test', but is {split!r}"
            )
        self.split = split
        self.check_duplicates = check_duplicates
        self._columns: dict[str, np.ndarray] = {}
        super().__init__(
            data_root=data_root,
            pipeline=pipeline,
            test_mode=split != 'train' if test_mode is None else test_mode,
            **kwargs,
        )

    def list_split(self, root: str, split: str) -> Iterable[Sample]:
        """List the files of a split, junk and distractors too.

        Args:
            root (str): Folder of the data set.
            split (str): 'train', 'query' or 'gallery'.

        Returns:
            Iterable[Sample]: Path below ``root``, pid and camera (from 0, -1 when unknown) of
            each file, in an order that does not depend on the file system.
        """
        raise NotImplementedError(f'{type(self).__name__} does not say which files it has')

    def load_data_list(self) -> list[dict[str, Any]]:
        """List the samples of this split.

        Returns:
            list[dict]: One dict for each sample, with the fields named above.

        Raises:
            FileNotFoundError: When a folder is missing; shows the tree that was expected.
            ValueError: When a split has no images.
            TypeError: When a pid or a camera is no integer; names the image.
        """
        splits = ('query', 'gallery') if self.split == 'test' else (self.split,)
        root = self._find_root(splits)
        samples: list[dict[str, Any]] = []
        persons: list[int] = []
        rows = []
        for split in splits:
            listed = [
                dict(img_path=osp.join(root, path), gt_label=pid, cam_id=cam_id)
                for path, pid, cam_id in self.list_split(root, split)
            ]
            pids, cam_ids = (self._gather(listed, name) for name in _COLUMNS)
            left_out = (-1, *self.distractor_pids) if split == 'train' else (-1,)
            kept = np.flatnonzero(~np.isin(pids, left_out))
            if not len(kept):
                raise ValueError(f'the {split} split of {type(self).__name__} in {root} is empty')
            pids, cam_ids = pids[kept], cam_ids[kept]
            unique, labels = np.unique(pids, return_inverse=True)
            rows.append((split, len(unique), len(kept), len(set(cam_ids.tolist()) - {-1})))
            persons += pids.tolist()
            columns = (kept, labels if split == 'train' else pids, cam_ids)
            samples += (
                listed[row] | dict(gt_label=label, cam_id=cam_id, is_query=split == 'query')
                for row, label, cam_id in zip(*(c.tolist() for c in columns), strict=True)
            )
        self._report(root, rows)
        if self.split == 'test':
            self._report_matches(samples, root)
        if self.check_duplicates:
            files = [sample['img_path'] for sample in samples]
            warn_of_duplicates(files, persons, f'the {self.split} split of {printable(root)}')
        return samples

    def has_split(self, root: str, split: str) -> bool:
        """Whether a folder has what belongs to a split.

        Args:
            root (str): An existing folder.
            split (str): 'train', 'query' or 'gallery'.
        """
        return split not in self.folders or osp.isdir(osp.join(root, self.folders[split]))

    def expected_tree(self) -> list[str]:
        """What belongs in the folder of the data set, one line each, to be shown in an error."""
        return [f'{folder}/' for folder in self.folders.values()]

    def _find_root(self, splits: tuple[str, ...]) -> str:
        for name in ('', *self.root_names):
            root = osp.join(self.data_root, name) if name else self.data_root
            if osp.isdir(root) and all(self.has_split(root, split) for split in splits):
                return root
        tree = '\n'.join(f'    {line}' for line in self.expected_tree())
        below = f' or below it as {" or ".join(self.root_names)}' if self.root_names else ''
        raise FileNotFoundError(
            f'{type(self).__name__} not found in {self.data_root}. Expected there{below}:\n'
            f'{self.data_root}/\n{tree}'
        )

    def _report(self, root: str, rows: list[tuple[str, int, int, int]]) -> None:
        name, root = type(self).__name__, printable(root)
        table = [f'{name} in {root}']
        table.append(f'{"split":<10}{"ids":>8}{"images":>10}{"cameras":>10}')
        table += (f'{split:<10}{ids:>8}{n:>10}{cameras:>10}' for split, ids, n, cameras in rows)
        log_once(logging.INFO, '\n'.join(table))
        for split, ids, num_images, _ in rows:
            expected = self.expected_counts.get(split)
            if expected and expected != (ids, num_images):
                source = 'is commonly quoted' if split in self.quoted_counts else 'was published'
                log_once(
                    logging.WARNING,
                    f'{name} {source} with {expected[1]} images of {expected[0]} ids in its '
                    f'{split} split; {root} has {num_images} of {ids}: its results cannot be '
                    'compared with published ones',
                )

    def _report_matches(self, samples: list[dict[str, Any]], root: str) -> None:
        """Say how many queries will not count, and when the gallery is of one camera."""
        query, gallery = ([s for s in samples if s['is_query'] == q] for q in (True, False))
        cameras = {sample['cam_id'] for sample in gallery}
        paths = {sample['img_path'] for sample in gallery}
        persons = Counter(sample['gt_label'] for sample in gallery)
        pairs = Counter((sample['gt_label'], sample['cam_id']) for sample in gallery)
        unmatched = 0
        for sample in query:
            pid, cam_id = sample['gt_label'], sample['cam_id']
            removed = sample['img_path'] in paths if cam_id == -1 else pairs[pid, cam_id]
            unmatched += persons[pid] == removed
        one_camera = len(cameras) == 1 and cameras != {-1}
        all_of = f'; the whole gallery is of cam_id {min(cameras)}' if one_camera else ''
        if unmatched or one_camera:
            log_once(
                logging.WARNING if one_camera or unmatched == len(query) else logging.INFO,
                f'{unmatched} of {len(query)} queries of {printable(root)} have no match: '
                f'no gallery image of their person from another, or an unknown, camera{all_of}',
            )

    def _serialize_data(self) -> tuple[np.ndarray, np.ndarray]:
        # Serialised samples cannot change, so their columns are kept; to unpickle is slow.
        self._columns = {name: self._gather(self.data_list, name) for name in _COLUMNS}
        return super()._serialize_data()

    def get_subset_(self, indices: Sequence[int] | int) -> None:
        """Keep some of the samples; see :class:`mmengine.dataset.BaseDataset`."""
        super().get_subset_(indices)
        self._columns = {}

    def _copy_without_annotation(self, memo: dict | None = None) -> 'ReIDDataset':
        # A subset will be made of the copy.
        other = super()._copy_without_annotation({} if memo is None else memo)
        other._columns = {}
        return other

    def _column(self, name: str) -> np.ndarray:
        self.full_init()
        if not self.serialize_data:
            return self._gather(self.data_list, name)
        if name not in self._columns:
            self._columns[name] = self._gather(map(self.get_data_info, range(len(self))), name)
        return self._columns[name].copy()

    def _gather(self, samples: Iterable[dict[str, Any]], name: str) -> np.ndarray:
        values = []
        for sample in samples:
            value = sample[name]
            if isinstance(value, bool) or not isinstance(value, Integral):
                raise TypeError(
                    f'{type(self).__name__} gives {name} {value!r}, which is no integer, for '
                    f'{printable(sample["img_path"])}'
                )
            values.append(value)
        return np.array(values, np.int64)

    @property
    def pids(self) -> np.ndarray:
        """``gt_label`` of each sample, (N,) int64, a copy."""
        return self._column('gt_label')

    @property
    def cam_ids(self) -> np.ndarray:
        """``cam_id`` of each sample, (N,) int64, a copy."""
        return self._column('cam_id')

    @property
    def num_ids(self) -> int:
        """How many different pids there are, -1 not counted."""
        return len(set(self.pids.tolist()) - {-1})

    @property
    def num_cameras(self) -> int:
        """How many different cameras there are, the unknown one not counted."""
        return len(set(self.cam_ids.tolist()) - {-1})

"""Unlabelled person crops: LUPerson and any folder of one's own."""

import os.path as osp
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import force_full_init

from passreid.registry import DATASETS

from .folder_reid import parse_id
from .robust_dataset import RobustDataset
from .storage.image_files import read_keys, read_path_list
from .storage.lmdb_reader import read_lmdb
from .storage.name_table import NameTable, cached_names


@DATASETS.register_module()
class LUPerson(RobustDataset):
    """Millions of person crops without labels.

    What lies in ``data_root`` decides how it is read:

    - If ``ann_file`` is given: the images that this text file lists, one path below ``data_root``
      a line.
    - If there is ``lmdb/data.mdb``, with ``keys.pkl`` beside ``lmdb/`` or in it: LUPerson as
      distributed, encoded images by keys. A ``keys.pkl`` that imports anything is refused.
    - Else: all images in ``data_root`` and its folders, hidden ones left out.

    The names are listed once, kept in the user's cache folder and shared by all processes. Changes
    of folders, ``keys.pkl`` or ``ann_file`` are noticed by their times; for times that were set
    back, as some copying tools do, there is ``rescan=True``.

    Each sample has ``img_path`` (str; from an LMDB the key), ``gt_label`` -1, ``cam_id``,
    ``is_query`` False, ``sample_idx`` and, from an LMDB, ``img_bytes``.

    Args:
        data_root (str): Folder of the data set.
        ann_file (str): List of images, below ``data_root`` or absolute. Defaults to '': none.
        pipeline (list | tuple): Transforms, or configs of transforms. Defaults to none.
        camera_pattern (str, optional): Regular expression that finds the camera in the path below
            ``data_root``, in its group ``camera``; any text, see :func:`.parse_id`. Defaults to
            None: cameras are unknown, ``cam_id`` is -1.
        max_images (int, optional): Use the first so many only. Defaults to None: all.
        rescan (bool): List the names anew even if a kept list seems fresh. Defaults to False.
        **kwargs: The other arguments of :class:`.RobustDataset` (``seed``, ``max_bad_share``,
            ``bad_grace``) and of :class:`mmengine.dataset.BaseDataset`.

    Source: Fu et al., `Unsupervised Pre-training for Person Re-identification
    <https://arxiv.org/abs/2012.03753>`_, CVPR 2021.
    """

    def __init__(
        self,
        data_root: str,
        ann_file: str = '',
        pipeline: Sequence[dict | Callable] = (),
        *,
        camera_pattern: str | None = None,
        max_images: int | None = None,
        rescan: bool = False,
        **kwargs,
    ) -> None:
        if max_images is not None:
            if max_images < 1 or kwargs.get('indices') is not None:
                raise ValueError('max_images must be at least 1 and excludes indices')
            kwargs['indices'] = max_images
        try:
            self._camera_pattern = None if camera_pattern is None else re.compile(camera_pattern)
        except (TypeError, re.error) as error:
            raise ValueError(f'camera_pattern {camera_pattern!r}: {error}') from error
        if self._camera_pattern and 'camera' not in self._camera_pattern.groupindex:
            raise ValueError(f'camera_pattern {camera_pattern!r} has no group (?P<camera>...)')
        self.rescan = rescan
        self._lmdb = ''
        # The table of names is shared as it is.
        kwargs = dict(kwargs, serialize_data=False)
        super().__init__(data_root=data_root, ann_file=ann_file, pipeline=pipeline, **kwargs)

    def load_data_list(self) -> NameTable:
        """List the names of the images."""
        root = osp.abspath(self.data_root)
        if not osp.isdir(root):
            raise FileNotFoundError(
                f'there is no folder {self.data_root}. Expected: lmdb/ and keys.pkl, or images'
            )
        if self.ann_file:
            return cached_names(osp.abspath(self.ann_file), read_path_list, self.rescan)
        for folder in (osp.join(root, 'lmdb'), root):
            if osp.isfile(osp.join(folder, 'data.mdb')):
                self._lmdb = osp.realpath(folder)
                for keys in (osp.join(root, 'keys.pkl'), osp.join(folder, 'keys.pkl')):
                    if osp.isfile(keys):
                        return cached_names(keys, read_keys, self.rescan)
                raise FileNotFoundError(f'the LMDB {folder} lacks its key list {root}/keys.pkl')
        return cached_names(root, rescan=self.rescan)

    def image_name(self, idx: int) -> str:
        """Return the path of an image, or its key in the LMDB."""
        name = self.data_list[idx]
        return name if self._lmdb else osp.join(self.data_root, name)

    @property
    def pids(self) -> np.ndarray:
        """``gt_label`` of each sample, unknown: (N,) int64, all -1."""
        return np.full(len(self), -1, np.int64)

    @property
    @force_full_init
    def cam_ids(self) -> np.ndarray:
        """``cam_id`` of each sample: (N,) int64, -1 where unknown."""
        if self._camera_pattern is None:
            return self.pids
        return np.array([self._camera(name) for name in self.data_list], np.int64)

    def _camera(self, name: str) -> int:
        if self._camera_pattern is None:
            return -1
        found = self._camera_pattern.search(name.replace('\\', '/'))
        if not found or found['camera'] is None:
            raise ValueError(
                f'{osp.join(self.data_root, name)} does not match camera_pattern '
                f'{self._camera_pattern.pattern!r}: which camera took it?'
            )
        return parse_id(found['camera'])

    @force_full_init
    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return the fields of a sample."""
        info: dict[str, Any] = {
            'img_path': self.image_name(idx),
            'gt_label': -1,
            'cam_id': self._camera(self.data_list[idx]),
            'is_query': False,
            'sample_idx': int(idx) % len(self),
        }
        if self._lmdb:
            info['img_bytes'] = read_lmdb(self._lmdb, info['img_path'])
        return info

"""Unlabelled person crops: LUPerson and any folder of one's own."""

import os
import os.path as osp
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
from mmengine.dataset import force_full_init

from passreid.registry import DATASETS

from .robust_dataset import RobustDataset
from .storage.bad_images import BadImageError
from .storage.folder_scan import FolderScan
from .storage.key_list import read_path_list, read_pickled_keys
from .storage.lmdb_reader import LMDBReader
from .storage.name_cache import NameCache, Stamps
from .storage.name_table import NameTable


@DATASETS.register_module()
class LUPerson(RobustDataset):
    """Millions of person crops without labels.

    What lies in ``data_root`` decides how it is read:

    - If ``ann_file`` is given: the images that this text file lists, one path a line, relative
      to ``data_root``.
    - If there is ``lmdb/data.mdb``, with ``keys.pkl`` beside ``lmdb/`` or in it: LUPerson as
      distributed. The keys name the images, the values are encoded images. ``keys.pkl`` may
      hold lists, dicts, strings and numbers only; a pickle that imports anything is refused.
    - Else: all images in ``data_root`` and its folders, hidden ones left out.

    The names are listed once and cached (:class:`NameCache`), then shared by all processes. The
    cache notices when a file or folder is added, removed or renamed (the time of change of
    each folder) and when ``keys.pkl`` or ``ann_file`` changes (time and size). It does not
    notice a change within one tick of the file system's clock, nor one whose time was set back,
    as some copying tools do: ``rescan=True`` helps. Contents of images are not cached.

    Each sample has ``img_path`` (str; from an LMDB the key), ``gt_label`` -1, ``cam_id`` -1,
    ``is_query`` False, ``sample_idx`` and, from an LMDB, ``img_bytes``.

    Args:
        data_root (str): Folder of the data set.
        ann_file (str): List of images, relative to ``data_root`` unless absolute.
            Defaults to '', which means none.
        pipeline (list | tuple): Transforms, or configs of transforms. Defaults to none.
        max_images (int, optional): Use the first so many only. Defaults to None, which
            means all.
        rescan (bool): List the names anew even if a cached list seems fresh.
            Defaults to False.
        **kwargs: The other arguments of :class:`RobustDataset` (``seed``, ``max_bad_share``,
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
        max_images: int | None = None,
        rescan: bool = False,
        **kwargs,
    ) -> None:
        if max_images is not None:
            if max_images < 1 or kwargs.get('indices') is not None:
                raise ValueError('max_images must be at least 1 and excludes indices')
            kwargs['indices'] = max_images
        self.rescan = rescan
        self._lmdb: LMDBReader | None = None
        super().__init__(
            data_root=data_root,
            ann_file=ann_file,
            pipeline=pipeline,
            # The table of names is shared as it is.
            serialize_data=False,
            **kwargs,
        )

    def load_data_list(self) -> NameTable:
        """List the names of the images.

        Raises:
            FileNotFoundError: When the folder, ``ann_file`` or ``keys.pkl`` is missing.
            ValueError: When there is no image, or a list is not what it should be.
        """
        if not osp.isdir(self.data_root):
            raise FileNotFoundError(
                f'there is no folder {self.data_root}. Expected: lmdb/ and keys.pkl in it, or '
                'images in it and its folders'
            )
        if self.ann_file:
            return self._load_list(self.ann_file, read_path_list)
        for folder in (osp.join(self.data_root, 'lmdb'), self.data_root):
            if osp.isfile(osp.join(folder, 'data.mdb')):
                self._lmdb = LMDBReader(folder)
                return self._load_list(self._find_keys(folder), read_pickled_keys)
        scan = FolderScan(self.data_root)
        cache = NameCache(self.data_root, self.data_root)
        return cache.load(lambda: (scan, scan.stamps), scan.is_fresh, self.rescan)

    def _find_keys(self, lmdb_folder: str) -> str:
        for folder in (self.data_root, lmdb_folder):
            path = osp.join(folder, 'keys.pkl')
            if osp.isfile(path):
                return path
        raise FileNotFoundError(
            f'the LMDB {lmdb_folder} lacks its key list {osp.join(self.data_root, "keys.pkl")}'
        )

    def _load_list(self, path: str, read: Callable[[str], Iterable[str]]) -> NameTable:
        def stamps() -> Stamps:
            stat = os.stat(path)
            return {path: [stat.st_mtime_ns, stat.st_size]}

        def find() -> tuple[Iterable[str], Stamps]:
            # Stamped first: a change while the list is read makes the record stale.
            stamped = stamps()
            return read(path), stamped

        return NameCache(self.data_root, path).load(
            find, lambda recorded: recorded == stamps(), self.rescan
        )

    def _get_unserialized_subset(self, indices: Sequence[int] | int) -> NameTable:
        if isinstance(indices, int):
            return super()._get_unserialized_subset(indices)
        return self.data_list.take(indices)

    def image_name(self, idx: int) -> str:
        """Path of an image, or its key in the LMDB.

        Args:
            idx (int): Index of the sample.
        """
        name = self.data_list[idx]
        return name if self._lmdb else osp.join(self.data_root, name)

    @property
    def pids(self) -> np.ndarray:
        """``gt_label`` of each sample, unknown: (N,) int64, all -1."""
        return np.full(len(self), -1, np.int64)

    @property
    def cam_ids(self) -> np.ndarray:
        """``cam_id`` of each sample, unknown: (N,) int64, all -1."""
        return np.full(len(self), -1, np.int64)

    @force_full_init
    def get_data_info(self, idx: int) -> dict[str, Any]:
        """The fields of a sample.

        Args:
            idx (int): Index of the sample.

        Returns:
            dict: The fields named above.

        Raises:
            BadImageError: When the LMDB has no such key, or a cached name leaves ``data_root``.
        """
        info: dict[str, Any] = {
            'img_path': self.image_name(idx),
            'gt_label': -1,
            'cam_id': -1,
            'is_query': False,
            'sample_idx': int(idx) % len(self),
        }
        if self._lmdb:
            info['img_bytes'] = self._lmdb.get(info['img_path'])
        elif _leaves(self.data_list[idx]):
            raise BadImageError(info['img_path'], f'leaves {self.data_root}: use rescan=True')
        return info


def _leaves(name: str) -> bool:
    """Whether a name, which may come from a list that somebody else has kept, leaves the root."""
    return '..' in name and '..' in PurePath(name).parts or osp.isabs(name)

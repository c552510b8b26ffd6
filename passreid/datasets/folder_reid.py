"""Labelled person crops in folders of one's own."""

import hashlib
import logging
import os
import os.path as osp
import re
from collections.abc import Collection
from typing import Any

import numpy as np
from mmengine.logging import print_log

from passreid.registry import DATASETS

from .reid_dataset import SPLITS, ReIDDataset, Sample
from .storage.image_files import scan_folder


@DATASETS.register_module()
class FolderReID(ReIDDataset):
    r"""Any folder of labelled person crops, nested or flat.

    With ``pid_from='folder'`` each person has a folder (``data_root/bert/day_2/0002.jpg``); or the
    file names say person and camera, ``data_root/0042_3_000017.jpg`` with
    ``pattern=r'(?P<pid>[^_]+)_(?P<camera>\d+)_'``. Both may be any text, see :func:`.parse_id`;
    '-1' is junk as a person and unknown as a camera.

    With ``test_ids``, :func:`.hold_out` divides the crops. Else those in the folder of a split
    belong to it or, without such folders, all; query and gallery then have a ``data_root`` each.

    Args:
        data_root (str): The folder.
        split (str): See :class:`ReIDDataset`.
        *args: Of :class:`ReIDDataset`.
        pattern (str, optional): Regular expression with a group ``pid`` and, if the camera is
            known, a group ``camera``. It must match the beginning of the file name or, if it
            contains a '/', of the path below the folder. Defaults to None.
        pid_from (str): 'name' (``pattern`` has the group ``pid``) or 'folder' (the outermost
            folder is the person; ``pattern`` may still find the camera). Defaults to 'name'.
        folders (dict[str, str], optional): Folder of each split, below ``data_root`` or
            absolute. Defaults to None: train, query and gallery, if there is one of them.
        test_ids (float | Collection[str | int], optional): Share of the persons, or which
            persons, to hold out of train. Defaults to None.
        split_seed (int): Seed of the choice of persons and queries. Defaults to 0.
        ignore_unmatched (bool): Whether to leave out, count and log crops whose names do not
            match, instead of raising an error. Defaults to False.
        **kwargs: Of :class:`ReIDDataset`.
    """

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        *args,
        pattern: str | None = None,
        pid_from: str = 'name',
        folders: dict[str, str] | None = None,
        test_ids: float | Collection[Any] | None = None,
        split_seed: int = 0,
        ignore_unmatched: bool = False,
        **kwargs,
    ) -> None:
        try:
            groups = set(re.compile(pattern or '').groupindex)
        except re.error as error:
            raise ValueError(f'pattern {pattern!r} is no regular expression: {error}') from error
        if groups - {'camera'} != {'name': {'pid'}, 'folder': set()}.get(pid_from):
            raise ValueError(
                f'pattern={pattern!r} with pid_from={pid_from!r}: give a pattern with the group '
                "(?P<pid>...), or pid_from='folder' and none with it; (?P<camera>...) may be there"
            )
        self.pattern = pattern
        self.pid_from = pid_from
        if isinstance(test_ids, str):
            raise ValueError(f'test_ids={test_ids!r} has to be a share, or a list of persons')
        self.test_ids = test_ids
        self.split_seed = split_seed
        self.ignore_unmatched = ignore_unmatched
        found = any(osp.isdir(osp.join(data_root, name)) for name in SPLITS)
        self.folders = dict(folders or ({name: name for name in SPLITS} if found else {}))
        if self.folders and test_ids is not None:
            raise ValueError(f'test_ids would divide {data_root}, but it has folders of splits')
        needed = {'query', 'gallery'} if split == 'test' else {split}
        known = self.folders or (SPLITS if test_ids is not None else (split,))
        if missing := needed - {*known}:
            raise ValueError(
                f'{" and ".join(sorted(missing))} of {data_root}: unknown which images; give their '
                'folders in `folders`, make folders of these names, or give test_ids'
            )
        super().__init__(data_root, split, *args, **kwargs)

    def list_split(self, root: str, split: str) -> list[Sample]:
        """List the crops of a split by their names; see :class:`ReIDDataset`."""
        folder = self.folders.get(split, '')
        named = [(path, *self.read_name(path)) for path in scan_folder(osp.join(root, folder))]
        if unmatched := [osp.join(root, folder, path) for path, pid, _ in named if not pid]:
            text = (
                f'{unmatched[0]}, like {len(unmatched)} of {len(named)} images, names no person '
                f'with pid_from={self.pid_from!r} and pattern={self.pattern!r}'
            )
            if not self.ignore_unmatched:
                raise ValueError(f'{text}: rename or remove it, or set ignore_unmatched=True')
            print_log(f'{text}; they are left out', 'current', logging.WARNING)
        samples = [
            (osp.join(folder, path), parse_id(pid), parse_id(camera or '-1'))
            for path, pid, camera in named
            if pid
        ]
        names: dict[int, str] = {}
        for _, name, _ in named:
            if name and names.setdefault(parse_id(name), name) != name:
                raise ValueError(
                    f'{root}: the persons {names[parse_id(name)]!r} and {name!r} have the same '
                    'number, and would be one: rename one of them'
                )
        if self.test_ids is None or not samples:
            return samples
        test_ids = self.test_ids
        if isinstance(test_ids, Collection):
            if missing := [one for one in test_ids if parse_id(str(one)) not in names]:
                raise ValueError(f'test_ids names persons without an image: {missing}')
            test_ids = [parse_id(str(one)) for one in test_ids]
        _, pids, cam_ids = zip(*samples, strict=True)
        splits = hold_out(np.array(pids), np.array(cam_ids), test_ids, self.split_seed)
        return [sample for sample, own in zip(samples, splits, strict=True) if own == split]

    def read_name(self, path: str) -> tuple[str, str]:
        """Return person and camera as the path of a crop has them, '' for what it does not say."""
        path = path.replace('\\', '/')
        folder, _, rest = path.partition('/')
        pattern = self.pattern or ''
        found = re.match(pattern, path if '/' in pattern else path.rpartition('/')[2])
        groups = found.groupdict() if found else {}
        if self.pid_from == 'folder':
            groups['pid'] = folder if found and rest else ''
        return groups.get('pid') or '', groups.get('camera') or ''


def parse_id(text: str) -> int:
    """Turn the text of an id or a camera into a number, -1 for '-1' or from 0 to 2^52 - 1.

    A decimal number of up to 15 digits stands for itself. Any other text is hashed, so that query
    and gallery, which may be loaded apart, agree.
    """
    if re.fullmatch('-1|[0-9]{1,15}', text):
        return int(text)
    # As many bits as are exact in a double.
    return int.from_bytes(hashlib.sha256(os.fsencode(text)).digest()[:8], 'big') >> 12


def hold_out(
    pids: np.ndarray, cam_ids: np.ndarray, test_ids: float | Collection[int], seed: int = 0
) -> np.ndarray:
    """Divide images into train, query and gallery, the persons of train and test apart.

    For each test person and camera with at least two images, one of them becomes a query, at
    random, and the others go to the gallery. A person with a single image in each camera has
    one query, if there are two images at all. Junk goes to the gallery, where data sets drop it.
    ``pids`` and ``cam_ids`` are (N,) int, ``test_ids`` is the share of the persons, or who.
    """
    generator = np.random.default_rng(seed)
    persons = np.unique(pids[pids != -1])
    if isinstance(test_ids, Collection):
        chosen = np.array(list(test_ids))
    else:
        number = round(test_ids * len(persons))
        if not 0 < number < len(persons):
            raise ValueError(f'test_ids={test_ids} holds out {number} of {len(persons)} persons')
        chosen = generator.permutation(persons)[:number]
    is_test = np.isin(pids, chosen)
    # Sorted by person and camera, in random order within.
    order = np.lexsort((generator.random(len(pids)), cam_ids, pids))
    order = order[is_test[order]]
    pids_and_cams = np.stack([pids, cam_ids])[:, order]
    _, first, count = np.unique(pids_and_cams, axis=1, return_index=True, return_counts=True)
    queries = order[first[count > 1]]
    # Persons without several images of a camera: their first image, if there is another.
    ids, first, count = np.unique(pids[order], return_index=True, return_counts=True)
    single = order[first[~np.isin(ids, pids[queries]) & (count > 1)]]
    splits = np.where(is_test | (pids == -1), 'gallery', 'train')
    splits[[*queries, *single]] = 'query'
    return splits

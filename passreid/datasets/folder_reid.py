"""Labelled person crops in folders of one's own."""

import logging
import os.path as osp
from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np

from passreid.registry import DATASETS
from passreid.utils.log_once import log_once

from .hold_out import hold_out
from .reid_dataset import SPLITS, ReIDDataset, Sample
from .storage.crop_names import CropNames
from .storage.folder_scan import FolderScan
from .storage.text_number import text_number


@DATASETS.register_module()
class FolderReID(ReIDDataset):
    r"""Any folder of labelled person crops, nested or flat.

    The names say who is on a crop and which camera took it. With ``pid_from='folder'`` each
    person has a folder::

        data_root/anna/0001.jpg
        data_root/bert/day_2/0002.jpg

    or the file names say both, with ``pattern=r'(?P<pid>[^_]+)_(?P<camera>\d+)_'``::

        data_root/0042_3_000017.jpg

    Persons and cameras may be any text. A decimal number stands for itself, other text for a
    number that depends on the text alone (:func:`text_number`); '-1' is junk as a person and
    unknown as a camera.

    Which crops belong to a split:

    - ``test_ids`` given: those that :func:`hold_out` assigns to it.
    - ``folders`` given: those in its folder. Folders named train, query or gallery in
      ``data_root`` are found without being given.
    - Else all; query and gallery then have a ``data_root`` each.

    Args:
        data_root (str): The folder.
        split (str): 'train', 'query', 'gallery' or 'test', which is query, then gallery.
            Defaults to 'train'.
        pipeline (list | tuple): Transforms, or configs of transforms. Defaults to none.
        pattern (str, optional): Regular expression with a group ``pid`` and, if the camera is
            known, a group ``camera``. It must match the beginning of the file name or, if it
            contains a '/', of the path below the folder. Defaults to None.
        pid_from (str): 'name' (``pattern`` has the group ``pid``) or 'folder' (the outermost
            folder is the person; ``pattern`` may still find the camera). Defaults to 'name'.
        folders (dict[str, str], optional): Folder of each split, below ``data_root`` or
            absolute. Defaults to None.
        test_ids (float | Collection[str | int], optional): Share of the persons, or which
            persons, to hold out of train. Defaults to None.
        split_seed (int): Seed of the choice of persons and queries. Defaults to 0.
        ignore_unmatched (bool): Whether to leave out, count and log crops whose names do not
            match, instead of raising an error. Defaults to False.
        **kwargs: The other arguments of :class:`ReIDDataset`.

    Raises:
        ValueError: For arguments that contradict each other, and for names that do not match.

    Examples:
        >>> dataset = FolderReID(
        ...     'data/crops', 'train', pid_from='folder', test_ids=0.5
        ... )  # doctest: +SKIP
    """

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        pipeline: Sequence[dict | Callable] = (),
        *,
        pattern: str | None = None,
        pid_from: str = 'name',
        folders: dict[str, str] | None = None,
        test_ids: float | Collection[str | int] | None = None,
        split_seed: int = 0,
        ignore_unmatched: bool = False,
        **kwargs,
    ) -> None:
        self.names = CropNames(pattern, pid_from)
        self.test_ids = [test_ids] if isinstance(test_ids, str) else test_ids
        self.split_seed = split_seed
        self.ignore_unmatched = ignore_unmatched
        if folders and set(folders) - set(SPLITS):
            raise ValueError(f'folders has the keys {sorted(folders)}; known are {list(SPLITS)}')
        found = {name: name for name in SPLITS if osp.isdir(osp.join(data_root, name))}
        self.folders = dict(folders or (found and {name: name for name in SPLITS}))
        if self.folders and test_ids is not None:
            raise ValueError(
                f'test_ids would divide {data_root}, but it is divided into the folders '
                f'{sorted(folders or found)} already'
            )
        if split == 'test' and not self.folders and test_ids is None:
            raise ValueError(
                "split='test' needs to know query from gallery: give folders or test_ids, or "
                f'make folders query/ and gallery/ in {data_root}'
            )
        needed = ('query', 'gallery') if split == 'test' else (split,)
        if self.folders and (missing := set(needed) - set(self.folders)):
            raise ValueError(f'folders does not name the folder of {" and ".join(sorted(missing))}')
        super().__init__(data_root, split, pipeline, **kwargs)

    def expected_tree(self) -> list[str]:
        """What belongs in the folder, one line each, to be shown in an error."""
        return super().expected_tree() or ['images, in folders or not']

    def list_split(self, root: str, split: str) -> list[Sample]:
        """List the crops of a split by their names.

        Args:
            root (str): The folder.
            split (str): 'train', 'query' or 'gallery'.

        Raises:
            ValueError: For a name that does not match, two texts for one number, and a folder
                without images.
        """
        samples = list(self._read_names(root, self.folders.get(split, '')))
        if self.test_ids is None:
            return samples
        _, pids, cam_ids = zip(*samples, strict=True)
        test_ids: float | list[int]
        if isinstance(self.test_ids, Collection):
            test_ids = [text_number(str(test_id)) for test_id in self.test_ids]
        else:
            test_ids = self.test_ids
        splits = hold_out(np.array(pids), np.array(cam_ids), test_ids, self.split_seed)
        return [sample for sample, own in zip(samples, splits, strict=True) if own == split]

    def _read_names(self, root: str, folder: str) -> Iterator[Sample]:
        texts: dict[int, str] = {}
        unmatched = []
        path = None
        for path in FolderScan(osp.join(root, folder)):
            found = self.names.read(path)
            if found is None:
                unmatched.append(osp.join(root, folder, path))
                if not self.ignore_unmatched:
                    raise ValueError(
                        f'{unmatched[0]}: {self.names.mismatch}. Rename or remove the file, or '
                        'set ignore_unmatched=True to leave out all such files'
                    )
                continue
            text, camera = found
            pid = text_number(text)
            if texts.setdefault(pid, text) != text:
                raise ValueError(
                    f'{osp.join(root, folder)} has the persons {texts[pid]!r} and {text!r}, '
                    f'which both get the number {pid}: rename one'
                )
            yield osp.join(folder, path), pid, camera
        if path is None:
            raise ValueError(f'no images in {osp.join(root, folder)}')
        if unmatched:
            log_once(
                logging.WARNING,
                f'{len(unmatched)} images in {osp.join(root, folder)} are left out, because '
                f'{self.names.mismatch}; the first: {", ".join(unmatched[:3])}',
            )

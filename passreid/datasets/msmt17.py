"""MSMT17."""

import os.path as osp
import re

from passreid.registry import DATASETS

from .reid_dataset import ReIDDataset, Sample
from .storage.labelled_list import check_files, read_labelled_list

_LISTS = {
    'train': ('list_train.txt', 'list_val.txt'),
    'query': ('list_query.txt',),
    'gallery': ('list_gallery.txt',),
}


@DATASETS.register_module()
class MSMT17(ReIDDataset):
    """MSMT17: 4,101 people seen by fifteen cameras, indoors and outdoors.

    ::

        data_root/                    or data_root/MSMT17/, data_root/MSMT17_V1/ ...
            train/  test/             in V2: mask_train_v2/  mask_test_v2/
            list_train.txt            0000/0000_000_01_0303morning_0015_0.jpg 0: path below
            list_val.txt              train/ (camera 1, the third field of the name) and pid
            list_query.txt            paths below test/
            list_gallery.txt

    The training split is that of both ``list_train.txt`` and ``list_val.txt``. Pid 0 is a person
    like any other; the pids of training and test are numbered apart. ``cam_id`` counts from 0,
    file names from 1. The arguments are those of :class:`ReIDDataset`.

    Source: Wei et al., `Person Transfer GAN to Bridge Domain Gap for Person Re-Identification
    <https://arxiv.org/abs/1711.08565>`_, CVPR 2018.
    """

    root_names = ('MSMT17', 'MSMT17_V1', 'MSMT17_V2', 'msmt17')
    expected_counts = {'train': (1041, 32621), 'query': (3060, 11659), 'gallery': (3060, 82161)}
    quoted_counts = ('train',)
    # Folders of the images for training and for test, in V1 and in V2.
    layouts = (('train', 'test'), ('mask_train_v2', 'mask_test_v2'))

    def image_folder(self, root: str, split: str) -> str | None:
        """The folder with the images of a split, or None.

        Args:
            root (str): Folder of the data set.
            split (str): 'train', 'query' or 'gallery'.
        """
        names = [layout[split != 'train'] for layout in self.layouts]
        return next((name for name in names if osp.isdir(osp.join(root, name))), None)

    def has_split(self, root: str, split: str) -> bool:
        """Whether a folder has the images and the lists of a split.

        Args:
            root (str): An existing folder.
            split (str): 'train', 'query' or 'gallery'.
        """
        lists = (osp.isfile(osp.join(root, name)) for name in _LISTS[split])
        return self.image_folder(root, split) is not None and all(lists)

    def expected_tree(self) -> list[str]:
        """What belongs in the folder of the data set, one line each, to be shown in an error."""
        folders = [
            ' or '.join(f'{name}/' for name in names) for names in zip(*self.layouts, strict=True)
        ]
        return [*folders, *(name for names in _LISTS.values() for name in names)]

    def list_split(self, root: str, split: str) -> list[Sample]:
        """List the files of a split as its lists have them.

        Args:
            root (str): Folder of the data set.
            split (str): 'train', 'query' or 'gallery'.

        Raises:
            ValueError: For a line that is not path and pid, or a name without camera.
            FileNotFoundError: When listed files are missing.
        """
        folder = self.image_folder(root, split)
        assert folder is not None
        samples: list[Sample] = []
        for name in _LISTS[split]:
            path = osp.join(root, name)
            listed = [
                (osp.join(folder, image), pid, _camera(image, place))
                for place, image, pid in read_labelled_list(path)
            ]
            check_files(root, [image for image, _, _ in listed], path)
            samples += listed
        paths = [image for image, _, _ in samples]
        if len(set(paths)) < len(paths):
            twice = next(image for image in paths if paths.count(image) > 1)
            raise ValueError(f'{twice} is in several of {", ".join(_LISTS[split])} of {root}')
        return samples


def _camera(image: str, place: str) -> int:
    fields = osp.basename(image).split('_')
    if len(fields) < 4 or not re.fullmatch('0*[1-9][0-9]{0,8}', fields[2]):
        raise ValueError(
            f'{place}: the third field of {image!r} is not a camera (from 1), as in '
            '0000_000_01_0303morning_0015_0.jpg'
        )
    return int(fields[2]) - 1

"""MSMT17."""

import os.path as osp
import re

from passreid.registry import DATASETS

from .reid_dataset import ReIDDataset, Sample
from .storage.image_files import read_labelled_list

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
    file names from 1.

    Source: Wei et al., `Person Transfer GAN to Bridge Domain Gap for Person Re-Identification
    <https://arxiv.org/abs/1711.08565>`_, CVPR 2018.
    """

    root_names = ('MSMT17', 'MSMT17_V1', 'MSMT17_V2', 'msmt17')
    expected_counts = {'train': (1041, 32621), 'query': (3060, 11659), 'gallery': (3060, 82161)}

    def expected_files(self, split: str) -> list[tuple[str, ...]]:
        """Return the folder of images, in V1 or V2, and the lists of a split."""
        kind = 'train' if split == 'train' else 'test'
        return [(f'{kind}/', f'mask_{kind}_v2/'), *((name,) for name in _LISTS[split])]

    def list_split(self, root: str, split: str) -> list[Sample]:
        """List the files of a split as its lists have them; see :class:`ReIDDataset`."""
        folders, *_ = self.expected_files(split)
        folder = next(name for name in folders if osp.isdir(osp.join(root, name)))
        samples: list[Sample] = []
        for name in _LISTS[split]:
            path = osp.join(root, name)
            listed = [
                (osp.join(folder, image), pid, _camera(image, place))
                for place, image, pid in read_labelled_list(path)
            ]
            missing = [image for image, _, _ in listed if not osp.isfile(osp.join(root, image))]
            if missing:
                raise FileNotFoundError(
                    f'{len(missing)} of the {len(listed)} files in {path} are missing, the first '
                    f'of them {osp.join(root, missing[0])}'
                )
            samples += listed
        return samples


def _camera(image: str, place: str) -> int:
    fields = osp.basename(image).split('_')
    if len(fields) < 4 or not re.fullmatch('0*[1-9][0-9]{0,8}', fields[2]):
        raise ValueError(
            f'{place}: the third field of {image!r} is not a camera (from 1), as in '
            '0000_000_01_0303morning_0015_0.jpg'
        )
    return int(fields[2]) - 1

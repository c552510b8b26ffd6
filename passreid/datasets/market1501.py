"""Market-1501 and what shares its layout."""

import os.path as osp
import re

from passreid.registry import DATASETS
from passreid.utils.messages import printable

from .reid_dataset import ReIDDataset, Sample
from .storage.image_files import list_images


@DATASETS.register_module()
class Market1501(ReIDDataset):
    """Market-1501: 1,501 people seen by six cameras on a campus.

    ::

        data_root/                    or data_root/market1501/, data_root/Market-1501-v15.09.15/
            bounding_box_train/       0002_c1s1_000451_03.jpg: pid 2, camera 1
            query/
            bounding_box_test/        also pid -1 (junk, dropped) and 0000 (distractors, kept)

    ``cam_id`` counts from 0, file names from 1.

    Source: Zheng et al., `Scalable Person Re-identification: A Benchmark
    <https://openaccess.thecvf.com/content_iccv_2015/html/Zheng_Scalable_Person_Re-Identification_ICCV_2015_paper.html>`_,
    ICCV 2015.
    """

    root_names: tuple[str, ...] = ('market1501', 'Market-1501-v15.09.15')
    folders = {'train': 'bounding_box_train', 'query': 'query', 'gallery': 'bounding_box_test'}
    expected_counts = {'train': (751, 12936), 'query': (750, 3368), 'gallery': (751, 15913)}
    distractor_pids: tuple[int, ...] = (0,)
    # First group: the pid; second group: the camera, from 1.
    name_pattern = r'(-1|[0-9]{1,18})_c0*([1-9][0-9]{0,8})(?![0-9])'
    example_name = '0002_c1s1_000451_03.jpg'

    def list_split(self, root: str, split: str) -> list[Sample]:
        """List the files of a split by their names; see :class:`ReIDDataset`."""
        folder = self.folders[split]
        samples = []
        for name in list_images(osp.join(root, folder)):
            found = re.match(self.name_pattern, name)
            if found is None:
                path = printable(osp.join(root, folder, name))
                raise ValueError(
                    f'the name of {path} does not begin with pid and camera from 1 on (like '
                    f'{self.example_name}): rename or remove the file, or use FolderReID'
                )
            samples.append((osp.join(folder, name), int(found[1]), int(found[2]) - 1))
        return samples

"""Rendered pedestrians: the data set that is always there."""

import os.path as osp
from collections.abc import Callable, Sequence
from typing import Any

from passreid.registry import DATASETS
from passreid.rendering import SyntheticSettings, generate_synthetic

from .market1501 import Market1501
from .storage.image_files import list_images


@DATASETS.register_module()
class SyntheticReID(Market1501):
    """Procedurally rendered pedestrians, generated on first use and kept.

    ::

        data_root/<domain>/<digest of settings and generator version>/
            bounding_box_train/  query/  bounding_box_test/    as in Market-1501
            unlabelled/                                        000123_c05.jpg: camera 5, no id
            unlabelled_pids.csv                                true ids, for analysis alone
            generation.json                                    settings and generator version

    People of training, test and the unlabelled pool do not overlap; in the split 'unlabelled'
    ``gt_label`` is -1.

    Args:
        data_root (str): Where rendered data sets are kept. Defaults to 'data/synthetic'.
        split (str): As of :class:`ReIDDataset`, or 'unlabelled'. Defaults to 'train'.
        domain (str): 'a' (summer, campus) or 'b' (winter, station). Defaults to 'a'.
        pipeline (list | tuple): Transforms, or configs of transforms. Defaults to none.
        settings (dict, optional): Other fields of :class:`passreid.rendering.SyntheticSettings`,
            such as ``image_size``, ``train_ids`` or ``seed``, which is not that of data loading.
        num_workers (int, optional): Processes that render. Defaults to None: one for each core.
        **kwargs: The other arguments of :class:`ReIDDataset`.
    """

    root_names = ()
    expected_counts = {}

    def __init__(
        self,
        data_root: str = 'data/synthetic',
        split: str = 'train',
        domain: str = 'a',
        pipeline: Sequence[dict | Callable] = (),
        *,
        settings: dict[str, Any] | None = None,
        num_workers: int | None = None,
        **kwargs,
    ) -> None:
        rendered = SyntheticSettings(domain=domain, **(settings or {}))
        folder = str(generate_synthetic(data_root, rendered, num_workers))
        self.unlabelled = split == 'unlabelled'
        super().__init__(folder, 'train' if self.unlabelled else split, pipeline, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """List the samples of this split; see :class:`ReIDDataset`."""
        if not self.unlabelled:
            return super().load_data_list()
        folder = osp.join(self.data_root, 'unlabelled')
        return [
            dict(
                img_path=osp.join(folder, name),
                gt_label=-1,
                cam_id=int(osp.splitext(name)[0].rpartition('_c')[2]) - 1,
                is_query=False,
            )
            for name in list_images(folder)
        ]

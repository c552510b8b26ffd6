"""Rendered pedestrians: the data set that is always there."""

import os.path as osp
from dataclasses import fields
from typing import Any

from mmengine.logging import MMLogger

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

    People of training, test and the unlabelled pool do not overlap. Samples are those of
    :class:`ReIDDataset`; in the split 'unlabelled' ``gt_label`` is -1.

    Args:
        data_root (str): Where rendered data sets are kept. Defaults to 'data/synthetic'.
        split (str): 'train', 'query', 'gallery', 'test' or 'unlabelled'. Defaults to 'train'.
        domain (str): 'a' (summer, campus) or 'b' (winter, station). Defaults to 'a'.
        pipeline (list): Transforms. Defaults to none.
        settings (dict, optional): Other fields of
            :class:`passreid.rendering.SyntheticSettings`, such as ``seed``, ``image_size`` or
            ``train_ids``. Data loading keeps its own ``seed``.
        num_workers (int, optional): Processes that render on first use. Defaults to None, which
            means one for each usable core.
        **kwargs: The other arguments of :class:`ReIDDataset`.

    Raises:
        ValueError: For an unknown setting or one out of range.
        PermissionError: When ``data_root`` cannot be written.
    """

    root_names = ()
    expected_counts = {}

    def __init__(
        self,
        data_root: str = 'data/synthetic',
        split: str = 'train',
        domain: str = 'a',
        pipeline: list | tuple = (),
        *,
        settings: dict[str, Any] | None = None,
        num_workers: int | None = None,
        test_mode: bool | None = None,
        **kwargs,
    ) -> None:
        settings = dict(settings or {})
        known = {field.name for field in fields(SyntheticSettings)} - {'domain'}
        if unknown := sorted(set(settings) - known):
            raise ValueError(f'unknown settings {unknown}; known are {sorted(known)}')
        self.unlabelled = split == 'unlabelled'
        folder = generate_synthetic(
            data_root, SyntheticSettings(domain=domain, **settings), num_workers
        )
        super().__init__(
            data_root=str(folder),
            split='train' if self.unlabelled else split,
            pipeline=pipeline,
            test_mode=test_mode,
            **kwargs,
        )

    def load_data_list(self) -> list[dict[str, Any]]:
        """List the samples of this split; see :class:`ReIDDataset`."""
        if not self.unlabelled:
            return super().load_data_list()
        folder = osp.join(self.data_root, 'unlabelled')
        names = list_images(folder)
        MMLogger.get_current_instance().info(f'{len(names)} unlabelled pictures in {folder}')
        return [
            {
                'img_path': osp.join(folder, name),
                'gt_label': -1,
                'cam_id': int(osp.splitext(name)[0].rpartition('_c')[2]) - 1,
                'is_query': False,
            }
            for name in names
        ]

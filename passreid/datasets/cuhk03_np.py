"""CUHK03 in its new protocol."""

from collections.abc import Callable, Sequence

from passreid.registry import DATASETS

from .market1501 import Market1501

_COUNTS = {
    'detected': {'train': (767, 7365), 'query': (700, 1400), 'gallery': (700, 5332)},
    'labeled': {'train': (767, 7368), 'query': (700, 1400), 'gallery': (700, 5328)},
}


@DATASETS.register_module()
class CUHK03NP(Market1501):
    """CUHK03-NP: 1,467 people seen by two cameras, 767 of them for training.

    ::

        data_root/                        or data_root/cuhk03-np/
            detected/                     boxes of a detector
                bounding_box_train/       0002_c1_3.png: pid 2, camera 1
                query/
                bounding_box_test/
            labeled/                      boxes drawn by hand; the same folders

    ``cam_id`` counts from 0, file names from 1.

    Args:
        data_root (str): Folder of the data set, or the folder above it.
        split (str): 'train', 'query', 'gallery' or 'test'. Defaults to 'train'.
        pipeline (list | tuple): Transforms, or configs of transforms. Defaults to none.
        variant (str): 'detected' or 'labeled' (also 'labelled'). Defaults to 'detected'.
        **kwargs: The other arguments of :class:`ReIDDataset`.

    Source: Zhong et al., `Re-ranking Person Re-identification with k-reciprocal Encoding
    <https://arxiv.org/abs/1701.08398>`_, CVPR 2017.
    """

    root_names = ('cuhk03-np', 'CUHK03-NP')
    distractor_pids = ()
    example_name = '0002_c1_3.png'

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        pipeline: Sequence[dict | Callable] = (),
        *,
        variant: str = 'detected',
        **kwargs,
    ) -> None:
        self.variant = 'labeled' if variant == 'labelled' else variant
        if self.variant not in _COUNTS:
            raise ValueError(f"variant must be 'detected' or 'labeled', but is {variant!r}")
        self.folders = {name: f'{self.variant}/{path}' for name, path in Market1501.folders.items()}
        self.expected_counts = _COUNTS[self.variant]
        super().__init__(data_root, split, pipeline, **kwargs)

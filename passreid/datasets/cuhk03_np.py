"""CUHK03 in its new protocol."""

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

    Args:
        *args: Of :class:`ReIDDataset`.
        variant (str): 'detected' or 'labeled' (also 'labelled'). Defaults to 'detected'.
        **kwargs: Of :class:`ReIDDataset`.

    Source: Zhong et al., `Re-ranking Person Re-identification with k-reciprocal Encoding
    <https://arxiv.org/abs/1701.08398>`_, CVPR 2017.
    """

    root_names = ('cuhk03-np', 'CUHK03-NP')
    distractor_pids = ()
    example_name = '0002_c1_3.png'

    def __init__(self, *args, variant: str = 'detected', **kwargs) -> None:
        variant = 'labeled' if variant == 'labelled' else variant
        if variant not in _COUNTS:
            raise ValueError(f"variant must be 'detected' or 'labeled', but is {variant!r}")
        self.folders = {name: f'{variant}/{path}' for name, path in Market1501.folders.items()}
        self.expected_counts = _COUNTS[variant]
        super().__init__(*args, **kwargs)

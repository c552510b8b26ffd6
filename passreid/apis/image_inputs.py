"""Images as users name them, loaded for a model."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from mmengine.dataset import Compose, default_collate
from torch.utils.data import DataLoader, Dataset

from passreid.datasets.bad_images import BadImageError
from passreid.datasets.folder_scan import FolderScan
from passreid.datasets.samples_in_work import SamplesInWork
from passreid.datasets.transforms import LoadPersonImage

# What a user may give: one of these, or lists and tuples of them.
ImageInput = str | os.PathLike | np.ndarray
_CHANNELS = 3


@dataclass(frozen=True)
class ImageBatch:
    """Some consecutive inputs.

    Attributes:
        indices (list[int]): Places of the images among the inputs.
        data (dict): What ``test_step`` of a model takes; empty when there are no images.
        unreadable (dict[int, BadImageError]): Inputs that could not be read, by their places.
    """

    indices: list[int]
    data: dict[str, Any]
    unreadable: dict[int, BadImageError]


def list_inputs(inputs: ImageInput | Sequence) -> list[str | np.ndarray]:
    """Return one entry for each image.

    Args:
        inputs (str | Path | np.ndarray | Sequence): A file, a folder (all images in it and its
            folders), an image ``(H, W, 3)`` uint8 in BGR, as OpenCV and mmpretrain have it, a batch
            of such ``(N, H, W, 3)``, or a list or tuple of these.

    Returns:
        list[str | np.ndarray]: Files as they were named, and images.

    Raises:
        TypeError: For anything else.
        ValueError: For arrays of another shape or dtype, folders without images, and an empty list.
    """
    listed = list(_each(inputs))
    if not listed:
        raise ValueError('there are no images: the list is empty')
    return listed


def _each(inputs: Any) -> Iterator[str | np.ndarray]:
    if isinstance(inputs, list | tuple):
        for entry in inputs:
            yield from _each(entry)
    elif isinstance(inputs, np.ndarray):
        yield from _arrays(inputs)
    elif isinstance(inputs, str | os.PathLike):
        path = os.fsdecode(inputs)
        yield from list_folder(path) if os.path.isdir(path) else [path]
    else:
        raise TypeError(
            f'an image is given as {type(inputs).__name__}; expected is a path, a folder, an array '
            '(H, W, 3) or (N, H, W, 3), or a list of these'
        )


def list_folder(folder: str) -> list[str]:
    """Return the paths of all images in a folder and its folders, sorted.

    Args:
        folder (str): An existing folder.

    Raises:
        ValueError: When there are none.
    """
    paths = [os.path.join(folder, name) for name in FolderScan(folder)]
    if not paths:
        raise ValueError(f'there are no images in the folder {folder}')
    return paths


def _arrays(array: np.ndarray) -> Iterator[np.ndarray]:
    if array.dtype != np.uint8:
        raise ValueError(f'an image has values of {array.dtype}; expected is uint8, 0 to 255')
    if array.ndim not in (3, 4) or array.shape[-1] != _CHANNELS or not array.size:
        raise ValueError(
            f'an image has the shape {array.shape}; expected is (H, W, 3) in BGR, or (N, H, W, 3)'
        )
    yield from array if array.ndim == 4 else [array]


class ImageInputs(Dataset):
    """Runs the transforms of a test on inputs.

    Args:
        inputs (Sequence[str | np.ndarray]): Paths and images, see :func:`list_inputs`.
        pipeline (Compose): Transforms. Those at the beginning whose names begin with 'Load' are
            for paths alone.
    """

    def __init__(self, inputs: Sequence[str | np.ndarray], pipeline: Compose) -> None:
        self.inputs = inputs
        self._in_work = SamplesInWork()
        steps = pipeline.transforms
        names = [type(step).__name__.startswith('Load') for step in steps]
        num_loading = names.index(False) if False in names else len(names)
        self.load = Compose(steps[:num_loading] or [LoadPersonImage()])
        self.prepare = Compose(steps[num_loading:])

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> tuple[int, dict | BadImageError]:
        """Return the index, and the packed image or why there is none."""
        given = self.inputs[index]
        with self._in_work.begun(given if isinstance(given, str) else f'array {index}'):
            return index, self._make(index, given)

    def _make(self, index: int, given: str | np.ndarray) -> dict | BadImageError:
        sample = dict(sample_idx=index, cam_id=-1, is_query=False, img_path='')
        if isinstance(given, np.ndarray):
            shape = given.shape[:2]
            sample.update(img=np.ascontiguousarray(given), img_shape=shape, ori_shape=shape)
            return self.prepare(sample)
        try:
            sample = self.load(dict(sample, img_path=given))
        except BadImageError as error:
            return error
        # Transforms that are not ours: files make decoders raise nearly anything.
        except Exception as error:
            return BadImageError(given, str(error) or type(error).__name__)
        return self.prepare(sample)


def load_batches(
    inputs: Sequence[str | np.ndarray],
    pipeline: Compose,
    batch_size: int,
    num_workers: int = 0,
) -> Iterator[ImageBatch]:
    """Load inputs, batch after batch, in their order.

    Args:
        inputs (Sequence[str | np.ndarray]): Paths and images.
        pipeline (Compose): Transforms, see :class:`ImageInputs`.
        batch_size (int): Inputs at a time.
        num_workers (int): Processes that load; none are started for a single batch. Defaults to 0.

    Yields:
        ImageBatch: The next inputs.
    """
    alone = len(inputs) <= batch_size
    yield from DataLoader(
        ImageInputs(inputs, pipeline),
        batch_size,
        num_workers=0 if alone else num_workers,
        collate_fn=_collate,
        # Otherwise each process would start as many threads as there are processors.
        worker_init_fn=_single_thread,
    )


def _single_thread(worker: int) -> None:
    cv2.setNumThreads(0)


def _collate(samples: list[tuple[int, dict | BadImageError]]) -> ImageBatch:
    unreadable = {i: error for i, error in samples if isinstance(error, BadImageError)}
    good = [(i, packed) for i, packed in samples if i not in unreadable]
    data = default_collate([packed for _, packed in good]) if good else {}
    return ImageBatch([i for i, _ in good], data, unreadable)

"""Images as users name them, loaded for a model."""

import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from mmengine.dataset import Compose, default_collate
from torch.utils.data import DataLoader, Dataset

from passreid.datasets.storage.bad_images import BadImageError
from passreid.datasets.storage.image_files import scan_folder

# What a user may give: one of these, or lists and tuples of them.
ImageInput = str | os.PathLike | np.ndarray


class ImageBatch(NamedTuple):
    """Places of images among the inputs, what ``test_step`` takes or nothing, errors by place."""

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
    """
    if isinstance(inputs, list | tuple):
        if not inputs:
            raise ValueError('there are no images: the list is empty')
        return [image for entry in inputs for image in list_inputs(entry)]
    if isinstance(inputs, str | os.PathLike):
        path = os.fsdecode(inputs)
        return [*list_folder(path)] if os.path.isdir(path) else [path]
    image = np.asarray(inputs)
    if image.dtype != np.uint8 or image.ndim not in (3, 4) or image.shape[-1] != 3:
        raise ValueError(
            f'an image is given as {type(inputs).__name__} {image.shape} {image.dtype}; expected '
            'is a path, a folder, an array (H, W, 3) or (N, H, W, 3) of uint8, or a list of these'
        )
    return list(image) if image.ndim == 4 else [image]


def list_folder(folder: str) -> list[str]:
    """Return the paths of all images in a folder and its folders, sorted; at least one."""
    if not os.path.isdir(folder):
        raise FileNotFoundError(f'there is no folder {folder} of images')
    paths = [os.path.join(folder, name) for name in scan_folder(folder)]
    if not paths:
        raise ValueError(f'there are no images in the folder {folder}')
    return paths


class ImageInputs(Dataset):
    """Runs the transforms of a test, of which the first reads the image, on paths and images."""

    def __init__(self, inputs: Sequence[str | np.ndarray], pipeline: Compose) -> None:
        self.inputs = inputs
        self.load, *steps = pipeline.transforms
        self.prepare = Compose(steps)

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> tuple[int, dict | BadImageError]:
        """Return the index, and the packed image or why there is none."""
        given = self.inputs[index]
        sample = dict(sample_idx=index, cam_id=-1, is_query=False, img_path='')
        if isinstance(given, np.ndarray):
            shape = given.shape[:2]
            sample.update(img=np.ascontiguousarray(given), img_shape=shape, ori_shape=shape)
            return index, self.prepare(sample)
        try:
            sample = self.load(dict(sample, img_path=given))
        except BadImageError as error:
            return index, error
        # Transforms that are not ours: files make decoders raise nearly anything.
        except Exception as error:
            return index, BadImageError(given, str(error) or type(error).__name__)
        return index, self.prepare(sample)


def load_batches(
    inputs: Sequence[str | np.ndarray], pipeline: Compose, batch_size: int, num_workers: int = 0
) -> Iterator[ImageBatch]:
    """Load paths and images, batch after batch, in their order; a single one in this process."""
    yield from DataLoader(
        ImageInputs(inputs, pipeline),
        batch_size,
        num_workers=num_workers if len(inputs) > batch_size else 0,
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

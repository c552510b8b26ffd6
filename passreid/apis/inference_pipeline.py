"""From images, as users name them, to features, as in a test of a config."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, default_collate
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample
from torch.nn import functional as F
from torch.utils.data import DataLoader

from passreid.datasets.storage.decoding import BadImageError
from passreid.datasets.storage.image_files import scan_folder
from passreid.engine.hooks import PseudoLabelHook
from passreid.evaluation.metrics.person_features import stack_features
from passreid.registry import HOOKS, find_entries

# What a user may give: one of these, or lists and tuples of them.
ImageInput = str | os.PathLike | np.ndarray
# What a model is built with and its features in a test do not depend on.
_TRAINING_ALONE = re.compile(
    'init_cfg|num_classes|id_loss|metric_loss|similarity_weight|memory|erasing|drop_rate|'
    'drop_path_rate|non_blocking|meta_keys'
)


def inference_pipeline(cfg: Config) -> list[dict[str, Any]]:
    """Return the configs of the transforms of a test, of which the first reads the image.

    They are those of ``test_dataloader``, else ``val_dataloader`` (of several test sets the
    first), else of :class:`PseudoLabelHook`. A config of pre-training may have none of them: then
    images are resized (bilinear) to the ``img_size`` of the backbone.
    """
    for name in ('test_dataloader', 'val_dataloader'):
        loader = cfg.get(name)
        loader = loader[0] if isinstance(loader, list | tuple) and loader else loader
        if loader and 'pipeline' in loader.dataset:
            return [dict(step) for step in loader.dataset.pipeline]
    hooks = [cfg.get('default_hooks'), cfg.get('custom_hooks')]
    for hook in find_entries(hooks, PseudoLabelHook, HOOKS):
        return [dict(step) for step in hook.pipeline]
    size = (cfg.model.get('backbone') or {}).get('img_size')
    if size is None:
        raise ValueError(
            f'{cfg.filename or "the config"} has no test_dataloader, val_dataloader or '
            'PseudoLabelHook that says how an image is loaded, and no model.backbone.img_size'
        )
    height, width = (size, size) if isinstance(size, int) else size
    return [
        dict(type='LoadPersonImage'),
        dict(type='Resize', scale=(width, height), interpolation='bilinear', backend='pillow'),
        dict(type='PackInputs', meta_keys=('img_path', 'cam_id', 'is_query', 'sample_idx')),
    ]


class ImageBatch(NamedTuple):
    """Places of images among the inputs, what ``test_step`` takes or nothing, errors by place."""

    indices: list[int]
    data: dict[str, Any]
    unreadable: dict[int, BadImageError]


def list_inputs(inputs: ImageInput | Sequence) -> list[str | np.ndarray]:
    """Return one entry for each image: files as they were named, and images ``(H, W, 3)``.

    Of a folder these are all images in it and its folders, of an array ``(N, H, W, 3)`` its N.
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


class BatchLoader:
    """Runs the transforms of a test, of which the first reads the image, on paths and images."""

    def __init__(self, inputs: Sequence[str | np.ndarray], pipeline: Compose) -> None:
        self.inputs = inputs
        self.load, *steps = pipeline.transforms
        self.prepare = Compose(steps)

    def __call__(self, indices: Sequence[int]) -> ImageBatch:
        """Load the inputs at these places."""
        packed: dict[int, dict] = {}
        unreadable: dict[int, BadImageError] = {}
        for index in indices:
            given = self.inputs[index]
            sample = dict(sample_idx=index, cam_id=-1, is_query=False, img_path='')
            if isinstance(given, np.ndarray):
                shape = given.shape[:2]
                sample.update(img=np.ascontiguousarray(given), img_shape=shape, ori_shape=shape)
            else:
                try:
                    sample = self.load(dict(sample, img_path=given))
                except BadImageError as error:
                    unreadable[index] = error
                    continue
            packed[index] = self.prepare(sample)
        data = default_collate(list(packed.values())) if packed else {}
        return ImageBatch(list(packed), data, unreadable)


def load_batches(
    inputs: Sequence[str | np.ndarray], pipeline: Compose, batch_size: int, num_workers: int = 0
) -> Iterator[ImageBatch]:
    """Load paths and images, batch after batch, in their order; a single one in this process."""
    yield from DataLoader(
        range(len(inputs)),  # type: ignore[arg-type]
        batch_size,
        num_workers=num_workers if len(inputs) > batch_size else 0,
        collate_fn=BatchLoader(inputs, pipeline),
        # Otherwise each process would start as many threads as there are processors.
        worker_init_fn=_single_thread,
    )


def _single_thread(worker: int) -> None:
    cv2.setNumThreads(0)


def unit_features(samples: Sequence[DataSample]) -> np.ndarray:
    """Return the features of samples, at least one: ``(N, D)`` float32 of unit length."""
    return F.normalize(stack_features([sample.to_dict() for sample in samples]), dim=1).numpy()


def model_fingerprint(
    model: BaseModel, settings: Mapping[str, Any], pipeline: Sequence[Mapping], flip: bool
) -> str:
    """Hash all that decides which feature an image gets: 32 digits, the same on every machine.

    These are the weights, the config of the model without what matters in training alone, the
    configs of the transforms, and whether an image and its mirror image are averaged.
    """
    digest = hashlib.sha256()
    described = dict(model=_of_tests(settings), pipeline=_of_tests(pipeline), flip=flip)
    digest.update(json.dumps(described, sort_keys=True, default=repr).encode())
    for name, tensor in sorted(model.state_dict().items()):
        if isinstance(tensor, torch.Tensor):
            flat = tensor.detach().cpu().contiguous().reshape(-1)
            digest.update(f'{name} {tensor.dtype} {tuple(tensor.shape)}'.encode())
            digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()[:32]


def _of_tests(node: Any) -> Any:
    if isinstance(node, Mapping):
        kept = {key for key in node if not _TRAINING_ALONE.fullmatch(key)}
        return {key: _of_tests(node[key]) for key in kept}
    return [_of_tests(value) for value in node] if isinstance(node, list | tuple) else node

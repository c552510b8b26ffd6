"""Exported files, ready to run, and to be tested in place of a model."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample
from torch import Tensor

from passreid.models.utils import put_features
from passreid.registry import MODELS

from .exportable_model import ExportInfo

INFO_KEY = 'passreid'  # The name under which a file holds its `ExportInfo`.


class ExportedModel:
    """A file of :func:`export_onnx`, run on the processor.

    Args:
        path (str | Path): The file; of those you trust, for a graph is a program.
        num_threads (int): Threads of the runtime; 0 lets it choose. Defaults to 0.
        runtime (str): ``'onnxruntime'``, ``'openvino'`` or ``'openvino-bf16'``, which computes in
            bfloat16 where the processor can. Defaults to 'onnxruntime'.

    Attributes:
        info (ExportInfo): What the file says about itself.

    Raises:
        RuntimeError: When the file is missing or damaged.
        ValueError: When it was not written by passreid.
    """

    def __init__(
        self, path: str | Path, num_threads: int = 0, runtime: str = 'onnxruntime'
    ) -> None:
        import onnx

        self.path = Path(path)
        try:
            properties = onnx.load(path, load_external_data=False).metadata_props
            self._run = RUNTIMES[runtime](str(path), num_threads)
        except ImportError:
            raise
        except Exception as error:  # Each library has a dozen, with nothing else in common.
            raise RuntimeError(f'{path} cannot be read: {error}') from error
        try:
            metadata = {entry.key: entry.value for entry in properties}
            self.info = ExportInfo.from_json(metadata[INFO_KEY])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f'{path} does not say what it takes: export it with this passreid'
            ) from error

    def __call__(self, images: Tensor) -> Tensor:
        """Extract features ``(B, D)`` float32.

        Args:
            images (Tensor): A batch of images, see :meth:`ExportInfo.prepare`.

        Raises:
            ValueError: When images have another size than the file was made for.
        """
        size = tuple(images.shape[1:3] if self.info.layout == 'NHWC' else images.shape[2:])
        if size != self.info.input_size:
            sizes = f'{self.info.input_size}, not {size}'
            raise ValueError(f'{self.path} takes images of height and width {sizes}')
        return torch.from_numpy(self._run(images.numpy()))


def _onnxruntime(path: str, num_threads: int) -> Callable[[np.ndarray], np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    # Threads that wait busily would take the processor from whatever else the process does.
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    providers = ['CPUExecutionProvider']
    session = onnxruntime.InferenceSession(path, options, providers=providers)
    return lambda images: session.run(None, {'images': images})[0]


@cache
def _openvino_core() -> Any:
    """The one core of this process: the last of several leaves a stack for signals that is gone."""
    import openvino

    return openvino.Core()


def _openvino(path: str, num_threads: int, precision: str) -> Callable[[np.ndarray], np.ndarray]:
    options = {'INFERENCE_PRECISION_HINT': precision, 'INFERENCE_NUM_THREADS': num_threads}
    model = _openvino_core().compile_model(path, 'CPU', options)
    return lambda images: model(images, share_outputs=False)[0]


RUNTIMES: dict[str, Callable] = {
    'onnxruntime': _onnxruntime,
    'openvino': partial(_openvino, precision='f32'),
    'openvino-bf16': partial(_openvino, precision='bf16'),
}


@MODELS.register_module()
class ExportedTestModel(BaseModel):
    """Stand in for the ``model`` of a config, to test an exported file on its data by its metric.

    Args:
        path (str): The file.
        data_preprocessor (dict): That of the model, without whose mean and std images are given to
            the file.
        **options: Of :class:`ExportedModel`.
    """

    def __init__(self, path: str, data_preprocessor: dict[str, Any], **options) -> None:
        exported = ExportedModel(path, **options)
        super().__init__(data_preprocessor=dict(data_preprocessor, mean=None, std=None))
        self.exported = exported

    def forward(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None, mode: str = 'predict'
    ) -> list[DataSample]:
        """Put the features ``(D,)`` of images ``(B, 3, H, W)`` into samples."""
        images = self.exported.info.prepare(inputs.cpu().float())
        return put_features(self.exported(images), data_samples)

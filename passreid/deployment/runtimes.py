"""Exported files, ready to run, and to be tested in place of a model."""

from pathlib import Path
from typing import Any

import torch
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample
from torch import Tensor

from passreid.models.utils import put_features
from passreid.registry import MODELS

from .exportable_model import ExportInfo

INFO_KEY = 'passreid'  # The name under which a file holds its `ExportInfo`.


class ExportedModel:
    """A file of :func:`export_onnx`, run by onnxruntime on the processor.

    Args:
        path (str | Path): The file; of those you trust, for a graph is a program.
        num_threads (int): Threads of onnxruntime; 0 lets it choose. Defaults to 0.

    Attributes:
        info (ExportInfo): What the file says about itself.

    Raises:
        RuntimeError: When the file is missing or damaged.
        ValueError: When it was not written by passreid.
    """

    def __init__(self, path: str | Path, num_threads: int = 0) -> None:
        import onnxruntime as ort

        self.path = Path(path)
        options = ort.SessionOptions()
        options.intra_op_num_threads = num_threads
        # Threads that wait busily would take the processor from whatever else the process does.
        options.add_session_config_entry('session.intra_op.allow_spinning', '0')
        try:
            self._session = ort.InferenceSession(
                str(path), options, providers=['CPUExecutionProvider']
            )
        except Exception as error:  # onnxruntime has a dozen, with nothing else in common.
            raise RuntimeError(f'{path} cannot be read: {error}') from error
        try:
            metadata = self._session.get_modelmeta().custom_metadata_map
            self.info = ExportInfo.from_json(metadata[INFO_KEY])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f'{path} was not exported by this or an older passreid') from error

    def __call__(self, images: Tensor) -> Tensor:
        """Extract features ``(B, D)`` float32.

        Args:
            images (Tensor): ``(B, 3, H, W)`` float32 RGB, see :attr:`ExportInfo.raw_input`.

        Raises:
            ValueError: When images have another size than the file was made for.
        """
        if images.shape[2:] != self.info.input_size:
            sizes = f'{self.info.input_size}, not {tuple(images.shape[2:])}'
            raise ValueError(f'{self.path} takes images of height and width {sizes}')
        (features,) = self._session.run(None, {'images': images.numpy()})
        return torch.from_numpy(features)


@MODELS.register_module()
class ExportedTestModel(BaseModel):
    """Stand in for the ``model`` of a config, to test an exported file on its data by its metric.

    Args:
        path (str): The file.
        data_preprocessor (dict): That of the model. Its mean and std are replaced by what the file
            says of its input.
        num_threads (int): See :class:`ExportedModel`. Defaults to 0.
    """

    def __init__(self, path: str, data_preprocessor: dict[str, Any], num_threads: int = 0) -> None:
        exported = ExportedModel(path, num_threads)
        info = exported.info
        mean, std = (None, None) if info.raw_input else (info.mean, info.std)
        super().__init__(data_preprocessor=dict(data_preprocessor, mean=mean, std=std))
        self.exported = exported

    def forward(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None, mode: str = 'predict'
    ) -> list[DataSample]:
        """Put the features ``(D,)`` of images ``(B, 3, H, W)`` into samples."""
        return put_features(self.exported(inputs.cpu().float()), data_samples)

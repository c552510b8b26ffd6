"""Tests of exported files."""

from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample
from torch import Tensor

from passreid.models.put_features import put_features
from passreid.registry import MODELS

from .exported_model import open_exported


@MODELS.register_module()
class ExportedTestModel(BaseModel):
    """Let a Runner test an exported file on the data and by the metric of a config.

    Args:
        path (str): The file; see :func:`open_exported`.
        data_preprocessor (dict): That of the config. Its mean and std are replaced by what the file
            says of its input.
        num_threads (int): Threads of onnxruntime; 0 lets it choose. Defaults to 0.
    """

    def __init__(self, path: str, data_preprocessor: dict[str, Any], num_threads: int = 0) -> None:
        exported = open_exported(path, num_threads)
        info = exported.info
        normalization = dict(
            mean=None if info.raw_input else info.mean, std=None if info.raw_input else info.std
        )
        super().__init__(data_preprocessor=dict(data_preprocessor, **normalization))
        self.exported = exported

    def forward(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None, mode: str = 'predict'
    ) -> list[DataSample]:
        """Extract features into samples.

        Args:
            inputs (Tensor): Images ``(B, 3, H, W)`` as the file takes them.
            data_samples (list[DataSample], optional): Where to put the features.
            mode (str): Only ``'predict'``.

        Returns:
            list[DataSample]: Each with ``feature``, ``(D,)`` float32.

        Raises:
            ValueError: In another mode: an exported file cannot be trained.
        """
        if mode != 'predict':
            raise ValueError(f'an exported file has no mode {mode!r}, only "predict"')
        return put_features(self.exported(inputs.cpu().to(torch.float32)), data_samples)


def use_exported(cfg: Config, path: str | Path, num_threads: int = 0) -> None:
    """Let a config test an exported file instead of its model, in place.

    Args:
        cfg (Config): The config of a runner. It is changed.
        path (str | Path): The file; see :func:`open_exported`.
        num_threads (int): Threads of onnxruntime; 0 lets it choose. Defaults to 0.
    """
    cfg.model = dict(
        type=ExportedTestModel.__name__,
        path=str(path),
        data_preprocessor=cfg.model.data_preprocessor,
        num_threads=num_threads,
    )

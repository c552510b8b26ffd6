"""Cluster contrast on part tokens."""

import torch
from mmpretrain.models import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from passreid.registry import MODELS

from ..utils import build_module, put_features


@MODELS.register_module()
class ClusterContrast(ImageClassifier):
    """Re-identification without labels: a contrast of images with clusters of their features.

    Each epoch, :class:`PseudoLabelHook` clusters the features of all training images and calls
    :meth:`set_pseudo_labels`. The label of an image is that of its ``sample_idx``; ``gt_label``
    is never read. Labels and memory are no part of a ``state_dict``.

    Source: Dai et al., `Cluster Contrast for Unsupervised Person Re-Identification
    <https://arxiv.org/abs/2103.11568>`_, ACCV 2022, on the tokens of `PASS
    <https://arxiv.org/abs/2203.03931>`_, section 3.4.

    Args:
        backbone (dict | nn.Module): :class:`PartViT`.
        neck (dict | nn.Module): :class:`BNNeck` with ``normalize=True``; what it makes of the
            tokens is the feature, in training and in the test.
        memory (dict | nn.Module): :class:`ClusterMemory`.
        data_preprocessor (dict, optional): :class:`ReIDDataPreprocessor`.
        init_cfg (dict, optional): Initialisation. Defaults to None.
    """

    pseudo_labels: Tensor

    def __init__(
        self,
        backbone: dict | nn.Module,
        neck: dict | nn.Module,
        memory: dict | nn.Module,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            build_module(backbone),
            neck=build_module(neck),
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg,
        )
        self.memory = build_module(memory)
        self.register_buffer('pseudo_labels', torch.empty(0, dtype=torch.long), persistent=False)

    def set_pseudo_labels(self, labels: Tensor, centers: Tensor) -> None:
        """Take the outcome of a clustering: labels ``(N,)`` int64, centers ``(K, D)``.

        Labels are the clusters of the training images by ``sample_idx``; -1 for images without one,
        which do not count when they stand in for another.
        """
        self.pseudo_labels = labels.to(self.pseudo_labels.device, torch.long)
        self.memory.set_centers(centers)

    def pseudo_label_state(self) -> dict[str, Tensor]:
        """Labels ``(N,)`` int64 and centers ``(K, D)`` float32 as they are."""
        return {'labels': self.pseudo_labels, 'centers': self.memory.centers}

    def load_pseudo_label_state(self, state: dict[str, Tensor]) -> None:
        """Go on with labels and memory, bit by bit, that :meth:`pseudo_label_state` gave."""
        self.pseudo_labels = state['labels'].to(self.pseudo_labels.device)
        self.memory.centers = state['centers'].to(self.memory.centers.device)

    def extract_feat(self, inputs: Tensor, stage: str = 'neck') -> Tensor | tuple[Tensor, ...]:
        """Extract features ``(B, D)`` float32, not normalised, of images ``(B, 3, H, W)``.

        With ``stage='backbone'`` a tuple whose last element is tokens ``(B, 1 + L, C)``.
        """
        return self.backbone(inputs) if stage == 'backbone' else self._features(inputs)

    def _features(self, inputs: Tensor) -> Tensor:
        tokens = self.backbone(inputs)[-1]
        with torch.autocast(inputs.device.type, enabled=False):
            return self.neck(tokens.float())

    def loss(self, inputs: Tensor, data_samples: list[DataSample]) -> dict[str, Tensor]:
        """Compute the loss of images ``(B, 3, H, W)`` by ``sample_idx``, move the memory."""
        if not len(self.pseudo_labels):
            raise RuntimeError(
                'ClusterContrast has no pseudo labels yet: add PseudoLabelHook to the hooks or '
                'call set_pseudo_labels'
            )
        places = torch.tensor([sample.sample_idx for sample in data_samples])
        labels = self.pseudo_labels[places.to(self.pseudo_labels.device, non_blocking=True)]
        return {'loss': self.memory(self._features(inputs), labels)}

    def predict(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None, **kwargs
    ) -> list[DataSample]:
        """Put the features ``(D,)`` float32 of images ``(B, 3, H, W)`` into samples."""
        return put_features(self._features(inputs), data_samples)

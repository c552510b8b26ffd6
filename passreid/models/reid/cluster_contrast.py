"""Cluster contrast on part tokens."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmpretrain.models import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor, nn
from torch.nn import functional as F

from passreid.registry import MODELS

from ..utils import build_module, put_features


@MODELS.register_module()
class ClusterContrast(ImageClassifier):
    """Re-identification without labels: a contrast of images with clusters of their features.

    Each epoch, :class:`PseudoLabelHook` clusters the features of all training images and calls
    :meth:`set_pseudo_labels`. The label of an image is that of its ``sample_idx``; ``gt_label``
    is never read. Labels and memory are no part of a ``state_dict``.

    Two additions are off by default, as in the published recipe: a contrast with the clusters as
    each camera sees them, and labels that the global feature and those of the [PART] tokens refine
    for one another.

    Source: Dai et al., `Cluster Contrast for Unsupervised Person Re-Identification
    <https://arxiv.org/abs/2103.11568>`_, ACCV 2022, on the tokens of `PASS
    <https://arxiv.org/abs/2203.03931>`_, section 3.4.

    Args:
        backbone (dict | nn.Module): :class:`PartViT`.
        neck (dict | nn.Module): :class:`BNNeck` with ``normalize=True``; what it makes of the
            tokens is the feature, in training and in the test.
        memory (dict | nn.Module): :class:`ClusterMemory`.
        data_preprocessor (dict, optional): :class:`ReIDDataPreprocessor`.
        camera_memory (dict | nn.Module, optional): :class:`CameraMemory`. Defaults to None.
        part_refinement (dict | nn.Module, optional): :class:`PartRefinement`, by default with the
            width and the number of parts of the backbone. Defaults to None.
        init_cfg (dict, optional): Initialisation. Defaults to None.
    """

    pseudo_labels: Tensor
    # Whether features of a test are followed by those of the parts, for PseudoLabelHook, which
    # takes them apart by :meth:`split_features`.
    with_parts = False

    def __init__(
        self,
        backbone: dict | nn.Module,
        neck: dict | nn.Module,
        memory: dict | nn.Module,
        data_preprocessor: dict | nn.Module | None = None,
        camera_memory: dict | nn.Module | None = None,
        part_refinement: dict | nn.Module | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            build_module(backbone),
            neck=build_module(neck),
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg,
        )
        self.memory = build_module(memory)
        self.camera_memory: Any = camera_memory and build_module(camera_memory)
        names = dict(in_channels='embed_dims', num_parts='num_parts')
        sizes = {
            k: getattr(self.backbone, n) for k, n in names.items() if hasattr(self.backbone, n)
        }
        self.part_refinement: Any = part_refinement and build_module(part_refinement, **sizes)
        self.register_buffer('pseudo_labels', torch.empty(0, dtype=torch.long), persistent=False)

    def set_pseudo_labels(
        self,
        labels: Tensor,
        centers: Tensor,
        proxies: Sequence[Tensor] = (),
        parts: Sequence[Tensor] = (),
    ) -> None:
        """Take the outcome of a clustering.

        Args:
            labels (Tensor): Clusters ``(N,)`` int64 of the training images by ``sample_idx``; -1
                for images without one, which do not count when they stand in for another.
            centers (Tensor): Of the clusters, ``(K, D)``.
            proxies (Sequence[Tensor]): Arguments of :meth:`CameraMemory.set_proxies`.
            parts (Sequence[Tensor]): Arguments of :meth:`PartRefinement.set_parts`.
        """
        self.pseudo_labels = labels.to(self.pseudo_labels.device, torch.long)
        self.memory.set_centers(centers)
        if self.camera_memory is not None:
            self.camera_memory.set_proxies(*proxies)
        if self.part_refinement is not None:
            self.part_refinement.set_parts(*parts)

    def set_epoch(self, epoch: int) -> None:
        """Tell the parts of the loss that begin later the epoch, from 0."""
        for module in filter(None, (self.camera_memory, self.part_refinement)):
            module.set_epoch(epoch)

    def pseudo_label_state(self) -> dict[str, Any]:
        """Labels ``(N,)`` int64, centers ``(K, D)`` float32 and the other memories as they are."""
        state: dict[str, Any] = {'labels': self.pseudo_labels, 'centers': self.memory.centers}
        for name in ('camera_memory', 'part_refinement'):
            if (module := getattr(self, name)) is not None:
                state[name] = module.state()
        return state

    def load_pseudo_label_state(self, state: dict[str, Any]) -> None:
        """Go on with labels and memories, bit by bit, that :meth:`pseudo_label_state` gave."""
        self.pseudo_labels = state['labels'].to(self.pseudo_labels.device)
        self.memory.centers = state['centers'].to(self.memory.centers.device)
        for name in ('camera_memory', 'part_refinement'):
            if (module := getattr(self, name)) is not None:
                if name not in state:
                    raise ValueError(
                        f'The run had no {name}: resume it at the end of an epoch, or with '
                        f'model.{name}=None'
                    )
                module.load_state(state[name])

    def extract_feat(self, inputs: Tensor, stage: str = 'neck') -> Tensor | tuple[Tensor, ...]:
        """Extract features ``(B, D)`` float32, not normalised, of images ``(B, 3, H, W)``.

        With ``stage='backbone'`` a tuple whose last element is tokens ``(B, 1 + L, C)``.
        """
        return self.backbone(inputs) if stage == 'backbone' else self._features(inputs, False)[0]

    def _features(self, inputs: Tensor, with_parts: bool) -> tuple[Tensor, Tensor | None]:
        """Return features ``(B, D)`` and, if wanted where labels are refined, those of parts."""
        tokens = self.backbone(inputs)[-1]
        with torch.autocast(inputs.device.type, enabled=False):
            tokens, refinement = tokens.float(), self.part_refinement
            if refinement is None or not with_parts:
                return self.neck(tokens), None
            return self.neck(tokens), refinement.embed(tokens)

    def loss(self, inputs: Tensor, data_samples: list[DataSample]) -> dict[str, Tensor]:
        """Compute the loss of images ``(B, 3, H, W)`` by ``sample_idx``, move the memory."""
        if not len(self.pseudo_labels):
            raise RuntimeError(
                'ClusterContrast has no pseudo labels yet: add PseudoLabelHook to the hooks or '
                'call set_pseudo_labels'
            )
        known = self.camera_memory is not None
        facts = [(one.sample_idx, one.cam_id if known else -1) for one in data_samples]
        places, cam_ids = torch.tensor(facts).T.to(self.pseudo_labels.device, non_blocking=True)
        labels = self.pseudo_labels[places]
        features, parts = self._features(inputs, True)
        if self.camera_memory is self.part_refinement is None:
            return {'loss': self.memory(features, labels)}
        if parts is None:
            losses = {'loss_global': self.memory(features, labels)}
        else:
            with torch.autocast(features.device.type, enabled=False):
                units = F.normalize(features, dim=1)
                scores = self.memory.scores(units)
            losses = self.part_refinement(scores, parts, labels, places)
            if self.training:
                self.memory.follow(units.detach(), labels)
        if self.camera_memory is not None:
            losses |= self.camera_memory(features, labels, cam_ids)
        return losses

    def split_features(self, features: np.ndarray) -> list[np.ndarray]:
        """Return the features ``(N, D)`` of a test ``with_parts``, then those of each part."""
        if self.part_refinement is None:
            return [features]
        width, number = self.part_refinement.norm.num_features, len(self.part_refinement.memories)
        return [features[:, :-width], *np.split(features[:, -width:], number, axis=1)]

    def predict(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None, **kwargs
    ) -> list[DataSample]:
        """Put the features ``(D,)`` float32 of images ``(B, 3, H, W)`` into samples."""
        features, parts = self._features(inputs, self.with_parts)
        if parts is not None:
            features = torch.cat([features, parts.flatten(1)], dim=1)
        return put_features(features, data_samples)

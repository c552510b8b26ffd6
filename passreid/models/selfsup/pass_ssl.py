"""The PASS algorithm."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from mmcv.cnn.bricks import DropPath
from mmpretrain.models import BaseSelfSupervisor
from mmpretrain.structures import DataSample
from torch import Tensor, nn
from torch.nn import functional as F

from passreid.registry import MODELS

from ..layers import fuse_tokens
from ..utils import build_module, put_features


@MODELS.register_module()
class PASS(BaseSelfSupervisor):
    """Part-aware self-supervised pre-training.

    A student sees two global views and local views of L areas of the body; its
    [CLS] token learns from the teacher's [CLS] on all views, its [PART k] token
    from the teacher's [PART k] on the global views and on those of area k. The
    teacher is a moving average of the student, with which it begins: after
    :meth:`init_weights`, and when a file is loaded that has nothing of the teacher.
    Hooks call :meth:`update_teacher` and :meth:`set_epoch`.

    Source: `PASS: Part-Aware Self-Supervised Pre-Training for Person
    Re-Identification <https://arxiv.org/abs/2203.03931>`_.

    Args:
        backbone (dict | nn.Module): A :class:`PartViT`.
        neck (dict | nn.Module): A :class:`PASSNeck`; a config may leave out
            ``in_channels`` and ``num_parts``.
        head (dict | nn.Module): A :class:`PASSHead`; a config may leave out
            ``out_channels`` and ``num_parts``.
        data_preprocessor (dict | nn.Module, optional): Augments the views, see
            :class:`PASSDataPreprocessor`.
        init_cfg (dict, optional): Initialisation config.
    """

    def __init__(
        self,
        backbone: dict | nn.Module,
        neck: dict | nn.Module,
        head: dict | nn.Module,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        vit = build_module(backbone)
        projection = build_module(neck, in_channels=vit.embed_dims, num_parts=vit.num_parts)
        num_prototypes = projection.prototypes[0].out_features
        super().__init__(
            backbone=vit,
            neck=projection,
            head=build_module(head, out_channels=num_prototypes, num_parts=vit.num_parts),
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg,
        )
        tokens, branches = self.backbone.num_parts + 1, len(self.neck.projectors)
        if not tokens == branches == len(self.head.centers):
            raise ValueError(
                f'num_parts differs: backbone {tokens - 1}, neck {branches - 1}, '
                f'head {len(self.head.centers) - 1}'
            )
        student: Any = nn.ModuleDict({'backbone': self.backbone, 'neck': self.neck})
        self.teacher: Any = deepcopy(student).requires_grad_(False)
        for module in self.teacher.modules():
            if isinstance(module, DropPath):
                module.drop_prob = 0.0
            elif isinstance(module, nn.Dropout):
                module.p = 0.0

    def init_weights(self) -> None:
        """Draw the student's weights, and let the teacher be equal to it."""
        is_new, token = not self.is_init, self.teacher['backbone'].cls_token
        before = token.clone()
        super().init_weights()
        # A second call changes nothing, as in mmengine: the teacher may have moved. And what
        # `init_cfg` of the whole model loads may have brought its own.
        if is_new and token.equal(before):
            self.sync_teacher()

    @torch.no_grad()
    def sync_teacher(self) -> None:
        """Make the teacher equal to the student, buffers included."""
        for name in self.teacher:
            self.teacher[name].load_state_dict(getattr(self, name).state_dict())

    @torch.no_grad()
    def update_teacher(self, momentum: float) -> None:
        """Move teacher, by the ``momentum`` of the old one, and centers after an optimiser step.

        Parameters alone are averaged: buffers of the teacher's BatchNorm layers are its own.
        """
        student = [*self.backbone.parameters(), *self.neck.parameters()]
        torch._foreach_lerp_(list(self.teacher.parameters()), student, 1 - momentum)
        self.head.update_centers()

    def set_epoch(self, epoch: int) -> None:
        """Tell the head which epoch (from 0) begins."""
        self.head.set_epoch(epoch)

    def prototype_parameters(self) -> list[nn.Parameter]:
        """Parameters of the student's prototypes, which the first epoch leaves alone."""
        return list(self.neck.prototypes.parameters())

    def forward(
        self,
        inputs: Any,
        data_samples: list[DataSample] | None = None,
        mode: str = 'tensor',
    ):
        """Dispatch by ``mode``; see :meth:`loss`, :meth:`predict` and mmpretrain."""
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        return super().forward(inputs, data_samples, mode)

    def loss(
        self, inputs: dict[str, Tensor], data_samples: list[DataSample] | None = None
    ) -> dict[str, Tensor]:
        """Compute the part-wise loss, see :meth:`PASSHead.loss`.

        ``inputs`` are ``global_views (2 * B, 3, H, W)``, view after view, and ``local_views (L * n
        * B, 3, h, w)``, part after part and in it view after view.
        """
        global_views = inputs['global_views']
        if 'masks' in inputs:
            raise ValueError('PASS masks no patches: use MaskedPASS, or leave out MaskPatches')
        with torch.no_grad():
            of_teacher = self.teacher['backbone'](global_views)[0]
        of_global = self.backbone(global_views)[0]
        tokens = self._student_tokens(of_global, inputs['local_views'])
        return self.token_losses(tokens, of_teacher.unbind(1))

    def token_losses(
        self, student_tokens: Sequence[Tensor], teacher_tokens: Sequence[Tensor]
    ) -> dict[str, Tensor]:
        """Compute the losses of tokens ``(R, C)`` of [CLS] and each [PART] over their views."""
        return self.head.loss(
            self.neck(student_tokens),
            [layer.weight for layer in self.neck.prototypes],
            self.teacher['neck'](teacher_tokens),
            [layer.weight for layer in self.teacher['neck'].prototypes],
        )

    @torch.no_grad()
    def predict(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None
    ) -> list[DataSample]:
        """Put the teacher's features of images ``(B, 3, H, W)`` into samples.

        ``feature`` is [CLS] and the mean of the [PART] tokens, ``(2 C,)`` or without parts
        ``(C,)``, float32, of unit length.
        """
        tokens = self.teacher['backbone'](inputs)[0].float()
        return put_features(F.normalize(fuse_tokens(tokens, 'cat'), dim=-1), data_samples)

    @torch.no_grad()
    def part_separation(self, views: Tensor) -> dict[str, Tensor]:
        """Measure what the teacher's [PART] tokens have learned, on images ``(B > 1, 3, H, W)``.

        ``part_cosine_k`` is the mean cosine of [PART k] and [CLS], each centered over the batch;
        ``attention_height_cls`` and ``attention_height_k`` are the mean height of the center of the
        last layer's attention, 0 the top edge, 1 the bottom.
        """
        backbone = self.teacher['backbone']
        training = backbone.training
        backbone.train(False)
        tokens = backbone(views)[0].float()
        attention = backbone.part_attention(views)
        backbone.train(training)
        tokens = tokens - tokens.mean(0)
        cosines = F.cosine_similarity(tokens[:, 1:], tokens[:, :1], dim=-1).mean(0)
        rows = attention.sum(-1).mean(0)
        heights = rows @ ((torch.arange(rows.shape[1], device=rows.device) + 0.5) / rows.shape[1])
        names = ['cls', *(str(part) for part in range(1, len(rows)))]
        figures = {f'part_cosine_{k}': value for k, value in enumerate(cosines, start=1)}
        pairs = zip(names, heights, strict=True)
        return figures | {f'attention_height_{name}': value for name, value in pairs}

    def _student_tokens(self, of_global: Tensor, local_views: Tensor) -> list[Tensor]:
        """Tokens of each kind over the views that it is trained on.

        Those of the global views, ``(2 * B, 1 + L, C)``, are given.
        """
        num_parts, device = self.backbone.num_parts, local_views.device
        if not num_parts:
            of_local = self.backbone(local_views)[0]
            return [torch.cat((of_global[:, 0], of_local[:, 0]))]
        per_part = len(local_views) // num_parts
        part_ids = torch.arange(num_parts, device=device).repeat_interleave(per_part)
        of_local = self.backbone(local_views, part_ids)[0]
        parts = zip(of_global[:, 1:].unbind(1), of_local[:, 1].split(per_part), strict=True)
        return [
            torch.cat((of_global[:, 0], of_local[:, 0])),
            *(torch.cat(views) for views in parts),
        ]

"""PASS with masked patches."""

from typing import Any

import torch
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from passreid.registry import MODELS

from ..heads import masked_positions
from ..utils import build_module
from .pass_ssl import PASS


@MODELS.register_module()
class MaskedPASS(PASS):
    """:class:`PASS` whose student also infers what the teacher sees in masked patches.

    Patches of the student's global views are masked, so its [CLS] and [PART]
    tokens of these come from masked images; its tokens at the masked patches
    learn from the teacher's, by the projector and prototypes of [CLS]. With
    ``num_parts=0`` it is iBOT.

    Source: `iBOT <https://arxiv.org/abs/2111.07832>`_, section 3; with [PART]
    tokens it is not published.

    Args:
        backbone (dict | nn.Module): A :class:`PartViT` with a mask token; a config
            may leave out ``mask_token``.
        patch_head (dict | nn.Module): A :class:`PatchHead`; a config may leave out
            ``out_channels``.
        **kwargs: Of :class:`PASS`.
    """

    def __init__(
        self, backbone: dict | nn.Module, *, patch_head: dict | nn.Module, **kwargs
    ) -> None:
        vit = build_module(backbone, mask_token=True)
        if vit.mask_token is None:
            raise ValueError('MaskedPASS needs mask_token=True of the backbone')
        super().__init__(vit, **kwargs)
        num_prototypes = self.neck.prototypes[0].out_features
        self.patch_head = build_module(patch_head, out_channels=num_prototypes)

    def update_teacher(self, momentum: float) -> None:
        """Move teacher and centers, also that of the patches, after an optimiser step."""
        super().update_teacher(momentum)
        self.patch_head.update_centers()

    def set_epoch(self, epoch: int) -> None:
        """Tell the heads which epoch (from 0) begins."""
        super().set_epoch(epoch)
        self.patch_head.set_epoch(epoch)

    def loss(
        self, inputs: dict[str, Any], data_samples: list[DataSample] | None = None
    ) -> dict[str, Tensor]:
        """Compute the losses of :class:`PASS`, and ``loss_patch``, see :meth:`PatchHead.loss`.

        ``inputs`` have, besides the views, ``masks (2 * B, h, w)``, bool and on the CPU, of the
        patches of the global views.
        """
        if 'masks' not in inputs:
            raise ValueError('MaskedPASS needs masks: add MaskPatches behind PartAwareMultiCrop')
        global_views, masks = inputs['global_views'], inputs['masks']
        device, num_tokens = global_views.device, self.backbone.num_extra_tokens
        positions, weights = masked_positions(masks, device)
        masks = masks.to(device, non_blocking=True)
        with torch.no_grad():
            of_teacher = self.teacher['backbone'](global_views, with_patches=True)[0]
        of_global = self.backbone(global_views, masks=masks, with_patches=True)[0]
        tokens = self._student_tokens(of_global[:, :num_tokens], inputs['local_views'])
        losses = self.token_losses(tokens, of_teacher[:, :num_tokens].unbind(1))
        patches = of_global[:, num_tokens:].flatten(0, 1).index_select(0, positions)
        teacher_neck = self.teacher['neck']
        return losses | self.patch_head.loss(
            self.neck.embed_patches(patches),
            self.neck.prototypes[0].weight,
            teacher_neck.embed_patches(of_teacher[:, num_tokens:]),
            teacher_neck.prototypes[0].weight,
            positions,
            weights,
        )

"""Projectors and prototypes of PASS."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from mmengine.model.weight_init import trunc_normal_
from torch import Tensor, nn
from torch.nn import functional as F

from passreid.registry import MODELS


@MODELS.register_module()
class PASSNeck(BaseModule):
    """One projector and one layer of prototypes for each output token.

    A projector is a three-layer perceptron with GELU whose output is
    L2-normalised; prototypes are rows of unit length, so that a score is a
    cosine. Nothing is shared between tokens.

    Source: `PASS <https://arxiv.org/abs/2203.03931>`_, section 3.3.

    Args:
        in_channels (int): Channels C of the tokens.
        num_parts (int): Number L of [PART] tokens. Defaults to 3.
        hidden_channels (int): Width of the projectors. Defaults to 2048.
        bottleneck_channels (int): Channels D of the embeddings. Defaults to 256.
        out_channels (int): Number K of prototypes a token. Defaults to 65536.
        with_bn (bool): Batch normalisation after the hidden layers; not in the
            published recipe. Defaults to False.
        init_cfg (dict, optional): Initialisation config.
    """

    def __init__(
        self,
        in_channels: int,
        num_parts: int = 3,
        hidden_channels: int = 2048,
        bottleneck_channels: int = 256,
        out_channels: int = 65536,
        with_bn: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)

        def hidden(channels: int) -> list[nn.Module]:
            norm = [nn.BatchNorm1d(hidden_channels)] if with_bn else []
            return [nn.Linear(channels, hidden_channels), *norm, nn.GELU()]

        self.projectors = nn.ModuleList(
            nn.Sequential(
                *hidden(in_channels),
                *hidden(hidden_channels),
                nn.Linear(hidden_channels, bottleneck_channels),
            )
            for _ in range(1 + num_parts)
        )
        self.prototypes = nn.ModuleList(
            nn.Linear(bottleneck_channels, out_channels, bias=False) for _ in range(1 + num_parts)
        )

    def init_weights(self) -> None:
        """Draw the projectors from normal(0.02); prototypes keep torch's default."""
        super().init_weights()
        for module in self.projectors.modules():
            if isinstance(module, nn.Linear):
                trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, tokens: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Embed the tokens ``(R, C)`` of [CLS] and each [PART]; R may differ between them.

        Embeddings are ``(R, D)`` of unit length, float32 under autocast too.
        """
        pairs = zip(self.projectors, tokens, strict=True)
        return tuple(_unit(projector(rows)) for projector, rows in pairs)

    def embed_patches(self, patches: Tensor) -> Tensor:
        """Embed patches ``(..., C)`` by the projector of [CLS], with whose prototypes they go.

        Source: the shared head of `iBOT <https://arxiv.org/abs/2111.07832>`_, section 3.2.
        """
        rows = patches.flatten(0, -2)
        return _unit(self.projectors[0](rows)).unflatten(0, patches.shape[:-1])


def _unit(rows: Tensor) -> Tensor:
    """Bring rows to unit length; in float16 the smallest length to divide by would be 0."""
    return F.normalize(rows.to(torch.promote_types(rows.dtype, torch.float32)), dim=-1)

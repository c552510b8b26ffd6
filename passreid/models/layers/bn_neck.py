"""Fusion of tokens into one feature, and its batch normalisation."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from passreid.registry import MODELS


def fuse_tokens(tokens: Tensor, fusion: str) -> Tensor:
    """Join [CLS] and the [PART] tokens of ``tokens (B, 1 + L, C)``.

    ``'cat'`` puts [CLS] and the mean of the parts one behind the other, ``(B, 2 C)``; ``'mean'``
    averages the two, ``(B, C)``; ``'all'`` concatenates all tokens, ``(B, (1 + L) C)``. Without
    parts there is [CLS] alone.
    """
    if fusion == 'all':
        return tokens.flatten(1)
    whole, parts = tokens[:, 0], tokens[:, 1:]
    if not parts.shape[1]:
        return whole
    part = parts.mean(1)
    return torch.cat((whole, part), 1) if fusion == 'cat' else (whole + part) / 2


@MODELS.register_module()
class BNNeck(nn.Module):
    """Fuse tokens into one feature and normalise it over the batch.

    The biases of the normalisation stay 0, so that the identities are told
    apart by direction.

    Source: `Bag of Tricks and A Strong Baseline for Deep Person
    Re-identification <https://arxiv.org/abs/1903.07071>`_, section 3.6; `PASS
    <https://arxiv.org/abs/2203.03931>`_, section 3.4.

    Args:
        in_channels (int): Width C of a token.
        num_parts (int): Number L of [PART] tokens. Defaults to 3.
        fusion (str): ``'cat'``, ``'mean'`` or, not in the published recipe,
            ``'all'``, see :func:`fuse_tokens`. Defaults to ``'cat'``.
        multi_neck (bool): Whether each token has its own normalisation, before
            the fusion, instead of one for all after it. Defaults to True.
        normalize (bool): Whether to bring what comes out of a normalisation to
            unit length: each token with ``multi_neck``, the feature without.
            Defaults to False.
    """

    def __init__(
        self,
        in_channels: int,
        num_parts: int = 3,
        fusion: str = 'cat',
        multi_neck: bool = True,
        normalize: bool = False,
    ) -> None:
        super().__init__()
        if fusion not in ('cat', 'mean', 'all'):
            raise ValueError(f"fusion must be 'cat', 'mean' or 'all', not {fusion!r}")
        width = dict(cat=2 if num_parts else 1, mean=1, all=1 + num_parts)[fusion]
        self.out_channels = in_channels * width
        self.fusion = fusion
        self.multi_neck = multi_neck
        self.normalize = normalize
        widths = [in_channels] * (1 + num_parts) if multi_neck else [self.out_channels]
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in widths)
        for norm in self.norms:
            norm.bias.requires_grad_(False)

    def fuse(self, tokens: Tensor) -> Tensor:
        """Fuse tokens ``(B, 1 + L, C)`` as they are into ``(B, out_channels)``."""
        return fuse_tokens(tokens, self.fusion)

    def forward(self, tokens: Tensor) -> Tensor:
        """Fuse and normalise tokens ``(B, 1 + L, C)`` into ``(B, out_channels)``."""
        if not self.multi_neck:
            return self._unit(self.norms[0](self.fuse(tokens)))
        pairs = zip(self.norms, tokens.unbind(1), strict=True)
        return self.fuse(self._unit(torch.stack([norm(token) for norm, token in pairs], 1)))

    def _unit(self, features: Tensor) -> Tensor:
        return F.normalize(features, dim=-1) if self.normalize else features

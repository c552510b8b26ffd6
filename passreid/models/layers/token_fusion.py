"""Fusion of the tokens of an image into one feature."""

import torch
from torch import Tensor

FUSIONS = ('cat', 'mean')


def fused_channels(in_channels: int, num_parts: int, fusion: str) -> int:
    """Width of what :func:`fuse_tokens` returns.

    Args:
        in_channels (int): Width C of a token.
        num_parts (int): Number L of [PART] tokens.
        fusion (str): ``'cat'`` or ``'mean'``.

    Returns:
        int: ``2 C`` for ``'cat'`` with parts, else ``C``.

    Raises:
        ValueError: If there is no such fusion.
    """
    if fusion not in FUSIONS:
        raise ValueError(f"fusion must be 'cat' or 'mean', not {fusion!r}")
    return 2 * in_channels if fusion == 'cat' and num_parts else in_channels


def fuse_tokens(tokens: Tensor, fusion: str) -> Tensor:
    """Join [CLS] with the mean of the [PART] tokens.

    Source: `PASS <https://arxiv.org/abs/2203.03931>`_, section 3.4.

    Args:
        tokens (Tensor): [CLS], [PART 1..L], ``(B, 1 + L, C)``.
        fusion (str): ``'cat'`` puts one behind the other, ``'mean'`` averages the two. It does
            not matter when there are no parts.

    Returns:
        Tensor: ``(B, fused_channels(C, L, fusion))``.
    """
    whole, parts = tokens[:, 0], tokens[:, 1:]
    if not parts.shape[1]:
        return whole
    part = parts.mean(1)
    return torch.cat((whole, part), 1) if fusion == 'cat' else (whole + part) / 2

"""How alike the tokens of an image are."""

import torch
from torch import Tensor
from torch.nn import functional as F


def token_similarity(tokens: Tensor) -> Tensor:
    """Give the mean squared cosine of each two tokens of an image.

    Each token is centered over the batch (of a process): what all images have in common does not
    count.

    Args:
        tokens (Tensor): ``(B, T, C)``, T > 1.

    Returns:
        Tensor: A scalar from 0 (orthogonal, or one image) to 1, at least float32.
    """
    tokens = tokens.to(torch.promote_types(tokens.dtype, torch.float32))
    units = F.normalize(tokens - tokens.mean(0), dim=-1)
    first, second = torch.triu_indices(units.shape[1], units.shape[1], 1, device=units.device)
    return (units[:, first] * units[:, second]).sum(-1).square().mean()

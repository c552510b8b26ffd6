"""Choice of the attention kernel."""

import torch
from mmpretrain.models.utils.attention import scaled_dot_product_attention_pyimpl
from torch import Tensor
from torch.nn import functional as F


def attention(query: Tensor, key: Tensor, value: Tensor, dropout_p: float = 0.0) -> Tensor:
    """Scaled dot-product attention by the kernel that is fastest for the case.

    The fused kernel of torch wins everywhere but in training on a CPU, where
    its backward pass takes longer than the rest of the layer; there the plain
    product, softmax, product is used.

    Args:
        query (Tensor): ``(B, heads, N, C)``.
        key (Tensor): ``(B, heads, M, C)``.
        value (Tensor): ``(B, heads, M, C)``.
        dropout_p (float): Dropout probability of the attention weights.

    Returns:
        Tensor: ``(B, heads, N, C)``.
    """
    if query.device.type == 'cpu' and torch.is_grad_enabled() and query.requires_grad:
        return scaled_dot_product_attention_pyimpl(query, key, value, dropout_p=dropout_p)
    return F.scaled_dot_product_attention(query, key, value, dropout_p=dropout_p)

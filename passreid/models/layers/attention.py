"""Attention, and a last layer that computes the first tokens alone."""

import torch
from mmpretrain.models.backbones.vision_transformer import TransformerEncoderLayer
from mmpretrain.models.utils.attention import scaled_dot_product_attention_pyimpl
from torch import Tensor
from torch.nn import functional as F


def attention(query: Tensor, key: Tensor, value: Tensor, dropout_p: float = 0.0) -> Tensor:
    """Scaled dot-product attention ``(B, heads, N, C)`` by the kernel that is fastest for the case.

    The fused kernel of torch wins everywhere but in training on a CPU, where its backward pass
    takes longer than the rest of the layer; there the plain product, softmax, product is used.
    """
    if query.device.type == 'cpu' and torch.is_grad_enabled() and query.requires_grad:
        return scaled_dot_product_attention_pyimpl(query, key, value, dropout_p=dropout_p)
    return F.scaled_dot_product_attention(query, key, value, dropout_p=dropout_p)


def prefix_query_key_value(
    layer: TransformerEncoderLayer, x: Tensor, num_tokens: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries of the first n tokens of ``x (B, N, C)``, keys and values of all.

    They are ``(B, heads, n, C / heads)`` and twice ``(B, heads, N, C / heads)``.
    """
    qkv, heads = layer.attn.qkv, layer.attn.num_heads
    width = layer.attn.embed_dims
    x = layer.ln1(x)
    bias = (None, None) if qkv.bias is None else (qkv.bias[:width], qkv.bias[width:])
    query = F.linear(x[:, :num_tokens], qkv.weight[:width], bias[0])
    key_value = F.linear(x, qkv.weight[width:], bias[1])
    key, value = key_value.unflatten(2, (2, heads, -1)).permute(2, 0, 3, 1, 4)
    return query.unflatten(2, (heads, -1)).transpose(1, 2), key, value


def prefix_layer(layer: TransformerEncoderLayer, x: Tensor, num_tokens: int) -> Tensor:
    """Run a layer on ``x (B, N, C)`` for its first n outputs ``(B, n, C)`` only.

    The same numbers as ``layer(x)[:, :num_tokens]``, without projection and feed-forward network of
    the other tokens.
    """
    attn = layer.attn
    query, key, value = prefix_query_key_value(layer, x, num_tokens)
    dropout_p = attn.attn_drop if attn.training else 0.0
    mixed = attn.scaled_dot_product_attention(query, key, value, dropout_p=dropout_p)
    mixed = attn.proj(mixed.transpose(1, 2).flatten(2))
    x = x[:, :num_tokens] + attn.out_drop(attn.gamma1(attn.proj_drop(mixed)))
    return layer.ffn(layer.ln2(x), identity=x)

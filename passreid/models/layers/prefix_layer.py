"""Last transformer layer, evaluated for the first tokens alone."""

from mmpretrain.models.backbones.vision_transformer import TransformerEncoderLayer
from torch import Tensor
from torch.nn import functional as F


def prefix_query_key_value(
    layer: TransformerEncoderLayer, x: Tensor, num_tokens: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries of the first tokens, keys and values of all.

    Args:
        layer (TransformerEncoderLayer): A layer of mmpretrain's ViT.
        x (Tensor): Tokens ``(B, N, C)``.
        num_tokens (int): Number of tokens n at the front.

    Returns:
        tuple[Tensor, Tensor, Tensor]: ``(B, heads, n, C / heads)``, then twice
        ``(B, heads, N, C / heads)``.
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
    """Run a layer whose outputs are wanted for the first tokens only.

    The same numbers as ``layer(x)[:, :num_tokens]``, without projection and
    feed-forward network of the other tokens.

    Args:
        layer (TransformerEncoderLayer): A layer of mmpretrain's ViT.
        x (Tensor): Tokens ``(B, N, C)``.
        num_tokens (int): Number of tokens n at the front.

    Returns:
        Tensor: ``(B, n, C)``.
    """
    attn = layer.attn
    query, key, value = prefix_query_key_value(layer, x, num_tokens)
    dropout_p = attn.attn_drop if attn.training else 0.0
    mixed = attn.scaled_dot_product_attention(query, key, value, dropout_p=dropout_p)
    mixed = attn.proj(mixed.transpose(1, 2).flatten(2))
    x = x[:, :num_tokens] + attn.out_drop(attn.gamma1(attn.proj_drop(mixed)))
    return layer.ffn(layer.ln2(x), identity=x)

"""Vision transformers inside checkpoints of any origin."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from torch import Tensor

from .position_rows import split_positions
from .vit_keys import is_part_vit_key, part_vit_key, weights_below

# Where the weights may be, the better ones first: averages before what they average.
_CONTAINERS = ('teacher', 'model_ema', 'state_dict_ema', 'model', 'state_dict', 'student')
_PREFIXES = ('teacher.backbone.', 'backbone.', 'base.', '')
_WRAPPERS = re.compile(r'^(module\.|_orig_mod\.)+')
_BLOCK = re.compile(r'^layers\.\d+\.')
_SWIGLU = re.compile(r'\.(w12|w1|w2|w3|fc1_g|fc1_x)\.')


def from_vit_checkpoint(
    checkpoint: Mapping[str, Any],
    prefix: str | None = None,
    grid: tuple[int, int] | None = None,
) -> dict[str, Tensor]:
    """Take the vision transformer out of a checkpoint, under our names.

    Known are the files of DINO, DINOv2 and TransReID-SSL (of the teacher, where there are both),
    of DeiT (distilled ones too), timm and mmpretrain, the authors' and our own: the transformer is
    what stands beside a ``cls_token``. Nothing is fitted to a model yet: :class:`PartViT` resizes
    positions and patches and merges LayerScale when it loads the weights.

    Args:
        checkpoint (Mapping[str, Any]): Content of the file.
        prefix (str, optional): Beginning of the names of the transformer, such as
            ``'momentum_encoder.'``; needed when the file holds several of unknown roles.
        grid (tuple[int, int], optional): Grid (h, w) of the position table, when it is neither
            square nor 2:1 and the file has no position for [CLS].

    Returns:
        dict[str, Tensor]: ``backbone.*``. Left out is what PartViT has no use for: heads, mask
        tokens, the distillation token, and registers (the [CLS] of a model trained with registers
        is not the same without them).

    Raises:
        ValueError: If there is no ViT, or several, or blocks are of another kind (SwiGLU,
            normalised queries and keys, relative positions).
    """
    weights = vit_weights(checkpoint, prefix)
    split_positions(weights, grid)
    return {f'backbone.{key}': value for key, value in weights.items() if is_part_vit_key(key)}


def vit_weights(checkpoint: Mapping[str, Any], prefix: str | None = None) -> dict[str, Tensor]:
    """Return the ViT of a checkpoint and what stands beside it, under our names without prefix.

    Args:
        checkpoint (Mapping[str, Any]): Content of the file.
        prefix (str, optional): As of :func:`from_vit_checkpoint`.

    Raises:
        ValueError: As :func:`from_vit_checkpoint`.
    """
    if prefix is not None:
        return our_names(below_prefix(checkpoint, prefix))
    weights = flat_weights(checkpoint)
    prefixes = vit_prefixes(weights)
    if not prefixes:
        raise ValueError(f'No cls_token, and so no ViT, among {sorted(weights)[:5]}, ...')
    return our_names(weights_below(weights, best_prefix(prefixes)))


def flat_weights(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the tensors of a file, of the best of its containers, without names of wrappers.

    Args:
        checkpoint (Mapping[str, Any]): Content of the file.
    """
    inner = _unpack(checkpoint)
    return {_WRAPPERS.sub('', k): v for k, v in inner.items() if isinstance(v, Tensor)}


def below_prefix(checkpoint: Mapping[str, Any], prefix: str) -> dict[str, Tensor]:
    """Return the weights whose names begin with a prefix, without it.

    Args:
        checkpoint (Mapping[str, Any]): Content of the file.
        prefix (str): With or without the dot at its end, and ``module.`` in front.

    Raises:
        ValueError: If no name begins with it.
    """
    prefix = prefix if not prefix or prefix.endswith('.') else f'{prefix}.'
    as_saved = {k: v for k, v in _unpack(checkpoint).items() if isinstance(v, Tensor)}
    inner = weights_below(as_saved, prefix) or weights_below(flat_weights(checkpoint), prefix)
    if not inner:
        starts = sorted({name.split('.')[0] for name in as_saved})
        raise ValueError(f'No weight begins with prefix={prefix!r}; the names begin with {starts}')
    return inner


def vit_prefixes(names: Iterable[str]) -> list[str]:
    """Return the beginnings of the names of all ViTs: what stands before ``cls_token``.

    Args:
        names (Iterable[str]): Names of weights.
    """
    return [
        name.removesuffix('cls_token') for name in names if re.search(r'(^|\.)cls_token$', name)
    ]


def best_prefix(prefixes: Collection[str]) -> str:
    """Choose among several ViTs the teacher's, else the one called backbone.

    Args:
        prefixes (Collection[str]): Of one file.

    Raises:
        ValueError: If there are several and none is known.
    """
    for prefix in _PREFIXES:
        if prefix in prefixes:
            return prefix
    if len(prefixes) > 1:
        raise ValueError(
            f'The file holds several ViTs, {sorted(prefixes)}: choose one by its prefix, in '
            'init_cfg or of tools/model_converters/vit_to_passreid.py'
        )
    return next(iter(prefixes))


def our_names(weights: Mapping[str, Tensor], wanted: Collection[str] = ()) -> dict[str, Tensor]:
    """Rename the weights of one ViT.

    Args:
        weights (Mapping[str, Tensor]): Without prefix. Those that belong to no PartViT (heads, mask
            tokens) keep their names.
        wanted (Collection[str]): Names that the model to be filled has, whatever they are.

    Raises:
        ValueError: If blocks compute something else than those of PartViT.
    """
    renamed = {part_vit_key(name): value for name, value in weights.items()}
    strange = [
        name
        for name in renamed
        if _BLOCK.match(name) and not is_part_vit_key(name) and name not in wanted
    ]
    if any(_SWIGLU.search(name) for name in strange) or _is_packed_swiglu(renamed):
        raise ValueError(
            'The blocks of this ViT have SwiGLU feed-forward networks (DINOv2 giant), PartViT has '
            'plain ones: take another size of the model'
        )
    if strange:
        raise ValueError(
            f'The blocks of this ViT have weights that PartViT has not: {strange[:4]}. It computes '
            'something else and cannot be used'
        )
    return renamed


def _is_packed_swiglu(weights: Mapping[str, Tensor]) -> bool:
    """Whether the first layer of a block is twice as wide as the second expects."""
    first = weights.get('layers.0.ffn.layers.0.0.weight')
    second = weights.get('layers.0.ffn.layers.1.weight')
    if first is None or second is None or first.dim() != 2 or second.dim() != 2:
        return False
    return first.shape[0] == 2 * second.shape[1]


def _unpack(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """Open containers until there is none."""
    for name in _CONTAINERS:
        inner = checkpoint.get(name)
        if isinstance(inner, Mapping) and inner:
            return _unpack(inner)
    if strange := [name for name in checkpoint if not isinstance(name, str)]:
        raise ValueError(f'a weight is called {strange[0]!r}, but a name has to be text')
    return checkpoint


def content_of(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what ``state_dict`` of a file holds, or the file itself when there is none.

    Args:
        checkpoint (Mapping[str, Any]): Content of the file.

    Raises:
        ValueError: When it holds something else than weights by name.
    """
    content = checkpoint.get('state_dict', checkpoint)
    if not isinstance(content, Mapping):
        kind = type(content).__name__
        raise ValueError(f'state_dict of the file is a {kind}, but must be weights by name')
    return content

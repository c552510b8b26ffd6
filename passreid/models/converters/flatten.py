"""The weights of a file, whatever contains them, under names without wrappers."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

# Where the weights may be, the better ones first: averages before what they average.
_CONTAINERS = ('model_ema', 'state_dict_ema', 'model', 'state_dict', 'teacher', 'student')
_ROLES = ('student', 'teacher')
_WRAPPERS = re.compile(r'(?<![^.])(?:(?:module|_orig_mod)\.)+')
# Beginnings that say what a network is; any other that all of a file share says nothing.
_MEANINGFUL = ('backbone', 'base')


def flatten(checkpoint: Mapping[str, Any], prefix: str | None = None) -> dict[str, Tensor]:
    """Return the tensors of a file by names that tell their role and nothing else.

    Containers (``model``, ``state_dict``, ...) are opened, averages preferred; names of wrappers
    (``module.``, ``_orig_mod.``) go wherever they stand, and so does any beginning that the ViT and
    what belongs to it share (``model.`` of Lightning). Where there are both ``student`` and
    ``teacher``, the student's names are ``backbone.*`` and the teacher's ``teacher.backbone.*``;
    one of them alone is a container as any other.

    Args:
        checkpoint (Mapping[str, Any]): Content of the file. It is not changed.
        prefix (str, optional): Only weights whose names begin with it, without it.

    Returns:
        dict[str, Tensor]: Weights by name.

    Raises:
        ValueError: If no name begins with ``prefix``.
    """
    if prefix is not None:
        return _below_prefix(checkpoint, prefix)
    if not _has_roles(checkpoint):
        return _without_shared_prefix(_tensors(_open(checkpoint)))
    weights: dict[str, Tensor] = {}
    for role in _ROLES:
        network = flatten(checkpoint[role])
        owner = 'teacher.' if role == 'teacher' else ''
        if '' in vit_prefixes(network):
            owner += 'backbone.'
        weights |= {owner + name: value for name, value in network.items()}
    centers: Any = checkpoint.get('dino_loss')
    if _holds_tensors(centers):
        weights |= {f'dino_loss.{name}': value for name, value in _tensors(centers).items()}
    return weights


def vit_prefixes(names: Iterable[str]) -> list[str]:
    """Return what stands before ``cls_token`` in the names of the weights of each ViT."""
    return [
        name.removesuffix('cls_token') for name in names if re.search(r'(^|\.)cls_token$', name)
    ]


def best_prefix(prefixes: Iterable[str]) -> str:
    """Choose among several ViTs the teacher's, else the one called backbone, else fail."""
    prefixes = list(prefixes)
    for known in ('teacher.backbone.', 'backbone.', 'base.', ''):
        if known in prefixes:
            return known
    if len(prefixes) > 1:
        raise ValueError(
            f'The file holds several ViTs, {sorted(prefixes)}: choose one by its prefix, in '
            'init_cfg or of tools/model_converters/vit_to_passreid.py'
        )
    return prefixes[0]


def weights_below(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the weights whose names begin with a prefix (dot included), without it."""
    return {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}


def _open(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """Open containers until there is none, or one with a student and a teacher in it."""
    for name in _CONTAINERS:
        if _holds_tensors(checkpoint.get(name)):
            inner = checkpoint[name]
            return flatten(inner) if _has_roles(inner) else _open(inner)
    return checkpoint


def _has_roles(content: Mapping[str, Any]) -> bool:
    return all(_holds_tensors(content.get(role)) for role in _ROLES)


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, Mapping) and any(
        isinstance(child, Tensor) or _holds_tensors(child) for child in value.values()
    )


def _tensors(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the tensors without names of wrappers."""
    return {_WRAPPERS.sub('', k): v for k, v in content.items() if isinstance(v, Tensor)}


def _without_shared_prefix(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    while True:
        owners = vit_prefixes(weights)
        starts = {owner.partition('.')[0] for owner in owners}
        if starts == {'teacher', 'student'}:
            shared = 'student.'
        elif len(starts) == 1 and not _says_something(next(iter(starts)), owners, weights):
            shared = f'{starts.pop()}.'
        elif not owners and weights and all(name.startswith('model.') for name in weights):
            shared = 'model.'
        else:
            return weights
        inner = weights_below(weights, shared)
        weights = {k: v for k, v in weights.items() if not k.startswith(shared)} | inner


def _says_something(start: str, owners: list[str], names: Iterable[str]) -> bool:
    """Whether the beginning of all ViTs of a file is the name of a backbone, or there is none."""
    if start not in _MEANINGFUL:
        return not start
    # Unless there is a backbone, or a neck of the authors, below it.
    neck = f'{start}.bottleneck'
    return owners == [f'{start}.'] and not any(name.startswith(neck) for name in names)


def _below_prefix(checkpoint: Mapping[str, Any], prefix: str) -> dict[str, Tensor]:
    prefix = prefix if not prefix or prefix.endswith('.') else f'{prefix}.'
    content = _open(checkpoint)
    as_saved = {k: v for k, v in content.items() if isinstance(v, Tensor)}
    for weights in (as_saved, _tensors(content), flatten(checkpoint)):
        if inner := weights_below(weights, prefix):
            return inner
    starts = sorted({name.split('.')[0] for name in as_saved})
    raise ValueError(f'No weight begins with prefix={prefix!r}; the names begin with {starts}')

"""Checkpoints of the authors of PASS."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from .flatten import flatten, vit_prefixes
from .vit_keys import part_vit_key

KINDS = ('pretrain', 'supervised', 'usl')
_PART_TOKEN = re.compile(r'(^|\.)part_token\d+$')
_VIT = re.compile(r'^(cls_|pos_embed$|part_?(token|\d+_pos)|(patch_embed|blocks|norm|fc)\.)')

_Rules = tuple[tuple[re.Pattern, Callable[[re.Match], str]], ...]
# What stands beside the backbone, which is called backbone, base or nothing.
_RULES: dict[str, _Rules] = {
    'pretrain': (
        (
            re.compile(r'^(teacher\.|)head\.mlp_(?:cls|pt(\d+))\.(.+)$'),
            lambda m: f'{m[1]}neck.projectors.{m[2] or 0}.{m[3]}',
        ),
        (
            re.compile(r'^(teacher\.|)head\.last_layer_(?:cls|pt(\d+))\.weight(_v|_g)$'),
            lambda m: f'{m[1]}neck.prototypes.{m[2] or 0}.weight{m[3].replace("_v", "")}',
        ),
    ),
    'supervised': (
        (
            re.compile(r'^bottleneck(?:_(\d+))?\.(.+)$'),
            lambda m: f'head.neck.norms.{m[1] or 0}.{m[2]}',
        ),
        (re.compile(r'^(classifier\.weight)$'), lambda m: f'head.{m[1]}'),
    ),
    'usl': (
        (
            re.compile(r'^bottleneck(?:_pt(\d+))?\.(.+)$'),
            lambda m: f'neck.norms.{m[1] or 0}.{m[2]}',
        ),
    ),
}
_OWNERS = {'pretrain': ('teacher.backbone.', 'backbone.'), 'supervised': ('base.',), 'usl': ()}


def from_pass_checkpoint(state_dict: Mapping, kind: str = 'pretrain') -> dict[str, Tensor]:
    """Turn a checkpoint of the authors' code into one of ours.

    Source: `the authors' repository <https://github.com/CASIA-IVA-Lab/PASS-reID>`_.

    Args:
        state_dict (Mapping): What the file holds: the container with
            ``student``, ``teacher`` and ``dino_loss``, the weights of one
            network (``backbone.*``, ``head.*``), a bare backbone, those of
            the supervised model (``base.*``, ``bottleneck*``, ``classifier.*``),
            or of the cluster-contrast model (a backbone without prefix and
            ``bottleneck*``), by themselves or inside any container that
            :func:`flatten` opens.
        kind (str): Which of their programs wrote it: ``'pretrain'``,
            ``'supervised'`` or, for USL and UDA, ``'usl'``.
            Defaults to ``'pretrain'``.

    Returns:
        dict[str, Tensor]: Of ``'pretrain'``: ``backbone.*`` and, where present,
        ``neck.*``, ``teacher.*`` and ``head.centres``, weights of
        :class:`PASS`. Of ``'supervised'``: ``backbone.*`` and ``head.*``,
        weights of an ``ImageClassifier`` of :class:`PartViT` and
        :class:`ReIDHead`. Of ``'usl'``: ``backbone.*`` and ``neck.norms.*``,
        weights of :class:`ClusterContrast`. The layer ``fc`` of their backbones,
        which nothing uses, is left out.

    Raises:
        ValueError: If the kind is unknown.
        KeyError: If a weight has a name that PASS does not know.
    """
    if kind not in KINDS:
        raise ValueError(f"Cannot convert kind={kind!r}; choose 'pretrain', 'supervised' or 'usl'")
    weights = flatten(state_dict)
    for name in weights:
        if _our_name(name, kind) is None:
            raise KeyError(f'{name!r} is not a weight of PASS of kind {kind!r}')
    return rename_pass(weights, kind)


def pass_kind(checkpoint: Mapping[str, Any]) -> str | None:
    """Tell which program of the authors of PASS wrote a checkpoint.

    A container of student and teacher is also what DINO and TransReID-SSL write: those have no part
    tokens.

    Args:
        checkpoint (Mapping[str, Any]): Content of a file, or the result of :func:`flatten`.

    Returns:
        str | None: ``kind`` for :func:`from_pass_checkpoint`; None when none of them did.
    """
    names = flatten(checkpoint).keys()
    if any('head.mlp_cls.' in name for name in names):
        return 'pretrain'
    if 'base.' in vit_prefixes(names):
        return 'supervised'
    if 'bottleneck.weight' in names:
        return 'usl'
    return 'pretrain' if any(map(_PART_TOKEN.search, names)) else None


def rename_pass(weights: Mapping[str, Tensor], kind: str) -> dict[str, Tensor]:
    """Give the weights of a file of the authors our names; strange ones keep theirs.

    Args:
        weights (Mapping[str, Tensor]): Of :func:`flatten`.
        kind (str): As of :func:`from_pass_checkpoint`.

    Raises:
        ValueError: If prototypes have a length other than 1, or the model of fine-tuning has two
            last layers (JPM of TransReID).
    """
    if kind == 'supervised' and any(name.startswith('b1.') for name in weights):
        raise ValueError(
            'This model has a second last layer, b1 (JPM of TransReID), which PartViT has not: '
            'take a model that was trained without JPM'
        )
    renamed, bare = {}, '' in vit_prefixes(weights)
    for name, value in weights.items():
        # Strange weights of a bare backbone are for its model to judge.
        new = _our_name(name, kind) or (f'backbone.{part_vit_key(name)}' if bare else name)
        if new.endswith('.weight_g'):
            # The constant length of the prototypes, which ours lack.
            if not torch.equal(value, torch.ones_like(value)):
                raise ValueError(f'{name}: prototypes of a length other than 1 are not supported')
        elif not new.startswith(('dino_loss.', 'backbone.fc.')):
            renamed[new] = value
    centres = {name: weights[name] for name in weights if name.startswith('dino_loss.center_')}
    if centres:
        order = ['cls', *(f'pt{k}' for k in range(1, len(centres)))]
        renamed['head.centres'] = torch.cat([centres[f'dino_loss.center_{one}'] for one in order])
    return renamed


def _our_name(name: str, kind: str) -> str | None:
    for owner in _OWNERS[kind]:
        if name.startswith(owner):
            ours = owner.replace('base.', 'backbone.')
            return ours + part_vit_key(name.removeprefix(owner))
    for pattern, replacement in _RULES[kind]:
        if match := pattern.match(name):
            return replacement(match)
    if name.startswith('dino_loss.'):
        return name
    # A bare backbone.
    return f'backbone.{part_vit_key(name)}' if _VIT.match(name) else None

"""Checkpoints of the authors of PASS, in both directions."""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .fit_part_vit import fold_layer_scale
from .flatten import best_prefix, flatten, vit_prefixes, weights_below
from .names import PASS_TABLES, authors_vit_key, part_vit_key, translate
from .refusals import refuse_strange

KINDS = tuple(PASS_TABLES)
_PART_TOKEN = re.compile(r'(^|\.)part_token\d+$')
_VIT = re.compile(r'^(cls_|pos_embed$|part_?(token|\d+_pos)|(patch_embed|blocks|norm|fc)\.)')
# What their programs call the backbone; in a bare one it has no name.
_OWNERS = {'pretrain': 'backbone.', 'supervised': 'base.', 'usl': ''}


def from_pass_checkpoint(state_dict: Mapping, kind: str = 'pretrain') -> dict[str, Tensor]:
    """Turn a checkpoint of the authors' code into one of ours.

    Source: `the authors' repository <https://github.com/CASIA-IVA-Lab/PASS-reID>`_.

    Args:
        state_dict (Mapping): What the file holds: the container with ``student``, ``teacher`` and
            ``dino_loss``, the weights of one network or of a bare backbone, those of the supervised
            model (``base.*``, ``bottleneck*``, ``classifier.*``) or of the cluster-contrast model,
            in any container that :func:`flatten` opens.
        kind (str): Which of their programs wrote it: ``'pretrain'`` (default), ``'supervised'`` or,
            for USL and UDA, ``'usl'``.

    Returns:
        dict[str, Tensor]: Of ``'pretrain'``: ``backbone.*`` and, where present, ``neck.*``,
        ``teacher.*`` and ``head.centers``, weights of :class:`PASS`. Of ``'supervised'``:
        ``backbone.*`` and ``head.*`` with :class:`ReIDHead`. Of ``'usl'``: ``backbone.*`` and
        ``neck.norms.*`` of :class:`ClusterContrast`. Their unused layer ``fc`` is left out.

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
    """Tell which program of the authors of PASS wrote a checkpoint, or None.

    A container of student and teacher is also what DINO and TransReID-SSL write: those have no part
    tokens.
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
    """Give the flat weights of a file of the authors our names; strange ones keep theirs."""
    if kind == 'supervised':
        refuse_strange(weights.keys())
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
    centers = {name: weights[name] for name in weights if name.startswith('dino_loss.center_')}
    if centers:
        order = ['cls', *(f'pt{k}' for k in range(1, len(centers)))]
        renamed['head.centers'] = torch.cat([centers[f'dino_loss.center_{one}'] for one in order])
    return renamed


def to_pass_checkpoint(state_dict: Mapping[str, Any], kind: str = 'pretrain') -> dict[str, Any]:
    """Turn a checkpoint of ours into one of the authors' code.

    LayerScale, which their backbone has not, is multiplied into the linear layers before it; their
    unused layer ``fc``, mask tokens, numbers of epochs and optimisers are left out.

    Args:
        state_dict (Mapping[str, Any]): Weights of :class:`PASS`, of an ``ImageClassifier`` with
            :class:`ReIDHead`, or of :class:`ClusterContrast`; the content of a whole file as well.
        kind (str): Which of their files to make: ``'pretrain'``, their container with ``student``,
            ``teacher`` and ``dino_loss``; ``'backbone'``, the bare backbone, of the teacher where
            there is one; ``'supervised'``; or, for USL and UDA, ``'usl'``, whose names begin with
            ``module.``.

    Raises:
        ValueError: If the kind is unknown, or the weights are not those of such a model.
        KeyError: If a weight has no place in the authors' model.
    """
    if kind not in ('backbone', *KINDS):
        raise ValueError(f'Cannot convert to kind={kind!r}; choose one of {("backbone", *KINDS)}')
    weights = flatten(state_dict)
    prefixes = vit_prefixes(weights)
    needed = 'teacher.backbone.' if kind == 'pretrain' else 'backbone.'
    if kind == 'backbone' and prefixes:
        needed = best_prefix(prefixes)
    if needed not in prefixes:
        raise ValueError(f'Cannot convert to kind={kind!r}: the weights have no {needed}cls_token')
    if kind == 'backbone':
        return _backbone(weights_below(weights, needed), '')
    if kind == 'supervised' and 'head.classifier.weight' in weights:
        width = weights['head.classifier.weight'].shape[1]
        if width > 2 * weights['backbone.cls_token'].shape[-1]:
            raise ValueError("The authors' model has no fusion='all': convert to kind='backbone'")
    centers = weights.pop('head.centers', None)
    weights.pop('patch_head.centers', None)
    teacher = weights_below(weights, 'teacher.')
    network = _network({k: v for k, v in weights.items() if not k.startswith('teacher.')}, kind)
    if kind == 'supervised':
        return network
    wrapped = {f'module.{name}': value for name, value in network.items()}
    if kind == 'usl':
        return {'state_dict': wrapped}
    content: dict[str, Any] = {'student': wrapped, 'teacher': _network(teacher, kind)}
    if centers is not None:
        names = ['center_cls', *(f'center_pt{part}' for part in range(1, len(centers)))]
        content['dino_loss'] = dict(zip(names, centers.split(1), strict=True))
    return content


def _our_name(name: str, kind: str) -> str | None:
    role = 'teacher.' if kind == 'pretrain' and name.startswith('teacher.') else ''
    inner, owner = name.removeprefix(role), _OWNERS[kind]
    if owner and inner.startswith(owner):
        return f'{role}backbone.{part_vit_key(inner.removeprefix(owner))}'
    if new := translate(inner, PASS_TABLES[kind]):
        return role + new
    if name.startswith('dino_loss.'):
        return name
    return f'backbone.{part_vit_key(name)}' if _VIT.match(name) else None


def _network(weights: dict[str, Tensor], kind: str) -> dict[str, Tensor]:
    """Rename a network; prototypes get the constant length that the authors store."""
    network = _backbone(weights_below(weights, 'backbone.'), _OWNERS[kind])
    for name, value in weights.items():
        if name.startswith('backbone.'):
            continue
        new = translate(name, PASS_TABLES[kind], back=True)
        if new is None:
            raise KeyError(f'{name!r} is not a weight of PASS of kind {kind!r}')
        network[new] = value
        if new.endswith('.weight_v'):
            network[f'{new[:-1]}g'] = torch.ones_like(value[:, :1])
    return network


def _backbone(weights: dict[str, Tensor], owner: str) -> dict[str, Tensor]:
    weights = {name: value for name, value in weights.items() if name != 'mask_token'}
    fold_layer_scale(weights)
    for name in weights:
        if name.startswith(('pre_norm.', 'register_tokens')):
            raise KeyError(f"The authors' backbone has no place for {name!r}")
    return {owner + authors_vit_key(name): value for name, value in weights.items()}

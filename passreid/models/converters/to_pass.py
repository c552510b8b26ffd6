"""Checkpoints for the code of the authors of PASS."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from .flatten import best_prefix, flatten, vit_prefixes, weights_below
from .layer_scale import fold_layer_scale
from .vit_keys import authors_vit_key

KINDS = ('pretrain', 'backbone', 'supervised', 'usl')

_BRANCH = re.compile(r'^neck\.(projectors|prototypes)\.(\d+)\.(.+)$')
_NORM = re.compile(r'^(?:head\.)?neck\.norms\.(\d+)\.(.+)$')
# What the authors' backbone has no place for.
_UNKNOWN_TO_AUTHORS = ('pre_norm.',)


def to_pass_checkpoint(state_dict: Mapping[str, Any], kind: str = 'pretrain') -> dict[str, Any]:
    """Turn a checkpoint of ours into one of the authors' code.

    The inverse of :func:`from_pass_checkpoint`. LayerScale, which their backbone has not, is
    multiplied into the linear layers before it. Left out is the layer ``fc`` of their backbones,
    which nothing uses.

    Source: `the authors' repository <https://github.com/CASIA-IVA-Lab/PASS-reID>`_.

    Args:
        state_dict (Mapping[str, Any]): Weights of :class:`PASS`, of an ``ImageClassifier`` of
            :class:`PartViT` and :class:`ReIDHead`, or of :class:`ClusterContrast`; the content of
            a whole file as well.
        kind (str): Which of their files to make: ``'pretrain'``, their container with ``student``
            and ``teacher``, and ``dino_loss`` for the centres; ``'backbone'``, the bare backbone,
            of the teacher where there is one; ``'supervised'``; or, for USL and UDA, ``'usl'``, a
            container whose names begin with ``module.``, as their programs expect.
            Defaults to ``'pretrain'``.

    Returns:
        dict[str, Any]: What to save. No number of an epoch, no optimiser.

    Raises:
        ValueError: If the kind is unknown, or the weights are not those of such a model.
        KeyError: If a weight has no place in the authors' model.
    """
    if kind not in KINDS:
        raise ValueError(f'Cannot convert to kind={kind!r}; choose one of {KINDS}')
    weights = flatten(state_dict)
    prefixes = vit_prefixes(weights)
    if kind == 'backbone' and prefixes:
        return _backbone(weights_below(weights, best_prefix(prefixes)), '')
    needed = {'pretrain': 'teacher.backbone.', 'supervised': 'backbone.', 'usl': 'backbone.'}
    if kind == 'backbone' or needed[kind] not in prefixes:
        expected = needed.get(kind, '') + 'cls_token'
        raise ValueError(f'Cannot convert to kind={kind!r}: the weights have no {expected}')
    if kind == 'pretrain':
        return _containers(weights)
    backbone = weights_below(weights, 'backbone.')
    others = {k: v for k, v in weights.items() if not k.startswith('backbone.')}
    if kind == 'supervised':
        return _backbone(backbone, 'base.') | _renamed(others, _supervised_key)
    names = _backbone(backbone, '') | _renamed(others, _cluster_key)
    return {'state_dict': {f'module.{name}': value for name, value in names.items()}}


def _containers(weights: dict[str, Tensor]) -> dict[str, Any]:
    """Sort the weights of pre-training into student, teacher and centres."""
    weights = dict(weights)
    centres = weights.pop('head.centres', None)
    teacher = weights_below(weights, 'teacher.')
    student = {k: v for k, v in weights.items() if not k.startswith('teacher.')}
    content: dict[str, Any] = {
        'student': {f'module.{name}': value for name, value in _network(student).items()},
        'teacher': _network(teacher),
    }
    if centres is not None:
        names = ['center_cls', *(f'center_pt{part}' for part in range(1, len(centres)))]
        content['dino_loss'] = dict(zip(names, centres.split(1), strict=True))
    return content


def _network(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename student or teacher; prototypes get the constant length that the authors store."""
    network = _backbone(weights_below(weights, 'backbone.'), 'backbone.')
    for name, value in weights.items():
        if name.startswith('backbone.'):
            continue
        match = _BRANCH.match(name)
        if match is None:
            raise KeyError(f'{name!r} is not a weight of PASS')
        layer, token, rest = match.groups()
        owner = f'pt{token}' if int(token) else 'cls'
        if layer == 'projectors':
            network[f'head.mlp_{owner}.{rest}'] = value
        else:
            network[f'head.last_layer_{owner}.weight_g'] = torch.ones_like(value[:, :1])
            network[f'head.last_layer_{owner}.weight_v'] = value
    return network


def _backbone(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    weights = dict(weights)
    fold_layer_scale(weights)
    for name in weights:
        if name.startswith(_UNKNOWN_TO_AUTHORS):
            raise KeyError(f"The authors' backbone has no place for {name!r}")
    return {prefix + authors_vit_key(name): value for name, value in weights.items()}


def _supervised_key(name: str) -> str:
    if name == 'head.classifier.weight':
        return 'classifier.weight'
    match = _NORM.match(name) if name.startswith('head.') else None
    if match is None:
        raise KeyError(f'{name!r} is not a weight of the supervised model of PASS')
    return _neck_key(match, '_')


def _cluster_key(name: str) -> str:
    match = None if name.startswith('head.') else _NORM.match(name)
    if match is None:
        raise KeyError(f'{name!r} is not a weight of the cluster-contrast model of PASS')
    return _neck_key(match, '_pt')


def _neck_key(match: re.Match, separator: str) -> str:
    token, rest = match.groups()
    return f'bottleneck{f"{separator}{token}" if int(token) else ""}.{rest}'


def _renamed(weights: dict[str, Tensor], rename: Callable[[str], str]) -> dict[str, Tensor]:
    return {rename(name): value for name, value in weights.items()}

"""Checkpoints of the authors of PASS."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from .cluster_keys import cluster_weights
from .supervised_keys import supervised_weights
from .vit_checkpoint import content_of
from .vit_keys import part_vit_key

_TOKENS = re.compile(r'^(mlp|last_layer)_(cls|pt(\d+))\.(.+)$')


def from_pass_checkpoint(state_dict: Mapping, kind: str = 'pretrain') -> dict[str, Tensor]:
    """Turn a checkpoint of the authors' code into one of ours.

    Source: `the authors' repository <https://github.com/CASIA-IVA-Lab/PASS-reID>`_.

    Args:
        state_dict (Mapping): What the file holds: the container with
            ``student``, ``teacher`` and ``dino_loss``, the weights of one
            network (``backbone.*``, ``head.*``), a bare backbone, those of
            the supervised model (``base.*``, ``bottleneck*``, ``classifier.*``),
            or of the cluster-contrast model (a backbone without prefix and
            ``bottleneck*``), by themselves or as ``state_dict`` of a container.
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
        which nothing uses, is left out of both.

    Raises:
        ValueError: If the kind is unknown.
        KeyError: If a weight has a name that PASS does not know.
    """
    if kind not in ('pretrain', 'supervised', 'usl'):
        raise ValueError(f"Cannot convert kind={kind!r}; choose 'pretrain', 'supervised' or 'usl'")
    state_dict = content_of(state_dict)
    if kind == 'supervised':
        return supervised_weights(state_dict)
    if kind == 'usl':
        return cluster_weights(state_dict)
    if 'student' not in state_dict and 'teacher' not in state_dict:
        return _network(state_dict)
    converted = _network(state_dict.get('student', {}))
    teacher = _network(state_dict.get('teacher', {}))
    converted.update({f'teacher.{key}': value for key, value in teacher.items()})
    centres = state_dict.get('dino_loss')
    if centres is not None:
        order = ['center_cls', *(f'center_pt{k}' for k in range(1, len(centres)))]
        converted['head.centres'] = torch.cat([centres[name] for name in order])
    return converted


def _network(state_dict: Mapping) -> dict[str, Tensor]:
    """Convert the weights of one network: student, teacher or bare backbone."""
    weights = {key.removeprefix('module.'): value for key, value in state_dict.items()}
    bare = not any(key.startswith(('backbone.', 'head.')) for key in weights)
    converted = {}
    for key, value in weights.items():
        owner, _, name = ('backbone', '', key) if bare else key.partition('.')
        if owner == 'backbone':
            converted[f'backbone.{part_vit_key(name)}'] = value
        elif owner == 'head' and _is_unit_scale(name, value):
            continue
        else:
            converted[_neck_key(key)] = value
    return converted


def _is_unit_scale(name: str, value: Tensor) -> bool:
    """Whether a weight is the constant length of the prototypes, which ours lack."""
    if not name.endswith('.weight_g'):
        return False
    if not torch.equal(value, torch.ones_like(value)):
        raise ValueError(f'head.{name}: prototypes of a length other than 1 are not supported')
    return True


def _neck_key(key: str) -> str:
    match = _TOKENS.match(key.removeprefix('head.'))
    if match is None:
        raise KeyError(f'{key!r} is not a weight of PASS')
    layer, _, part, rest = match.groups()
    if layer == 'mlp':
        return f'neck.projectors.{part or 0}.{rest}'
    return f'neck.prototypes.{part or 0}.{rest.replace("weight_v", "weight")}'

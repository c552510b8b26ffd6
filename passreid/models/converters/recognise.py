"""Recognition of whose checkpoint a file is."""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from .cluster_keys import has_cluster_neck
from .pass_checkpoint import from_pass_checkpoint
from .vit_checkpoint import best_prefix, content_of, flat_weights, our_names, vit_prefixes
from .vit_keys import weights_below

_STUDENT, _TEACHER = 'backbone.', 'teacher.backbone.'
_PART_TOKEN = re.compile(r'(^|\.)part_token\d+$')
_AUTHORS = {
    'pretrain': "Recognised a pre-training checkpoint of the authors' code",
    'supervised': "Recognised a fine-tuning checkpoint of the authors' code",
    'usl': "Recognised a USL or UDA checkpoint of the authors' code",
}


def pass_kind(checkpoint: Mapping[str, Any]) -> str | None:
    """Tell which program of the authors of PASS wrote a checkpoint.

    A container of student and teacher is also what DINO and TransReID-SSL write: those have no part
    tokens.

    Args:
        checkpoint (Mapping[str, Any]): Content of a file.

    Returns:
        str | None: ``kind`` for :func:`from_pass_checkpoint`; None when none of them did.
    """
    content = content_of(checkpoint)
    networks = [content.get(name) for name in ('student', 'teacher')]
    named = [name for network in networks if isinstance(network, Mapping) for name in network]
    if any(_PART_TOKEN.search(name) for name in named):
        return 'pretrain'
    names = flat_weights(checkpoint).keys()
    if any(name.startswith('head.mlp_cls.') for name in names):
        return 'pretrain'
    if any(name.startswith('base.') for name in names):
        return 'supervised'
    if has_cluster_neck(names):
        return 'usl'
    return 'pretrain' if 'part_token1' in names else None


def fit_checkpoint(
    checkpoint: Mapping[str, Any], wanted: set[str]
) -> tuple[dict[str, Tensor], str] | None:
    """Give the weights of a checkpoint the names that a model has for them.

    Known are the authors' files of pre-training, fine-tuning, USL and UDA, every file with a ViT
    that :func:`from_vit_checkpoint` takes, and our own of all kinds. A model without a teacher
    gets the teacher's backbone of pre-training; one with a teacher gets a backbone for both; a
    backbone by itself gets the backbone of any model. What the file has beside goes along under its
    own name, so that the report of the load can tell that it was not used.

    Args:
        checkpoint (Mapping[str, Any]): Content of a file.
        wanted (set[str]): Names of the tensors of the model.

    Returns:
        tuple[dict[str, Tensor], str] | None: The weights by the names of the model, and what was
        recognised. None for a checkpoint that has these names already, and for one that is not
        known.

    Raises:
        ValueError: If the ViT is of a kind that PartViT cannot be.
    """
    wanted = {name.removeprefix('module.') for name in wanted}
    owners = vit_prefixes(wanted)
    if not owners:
        return None
    kind = pass_kind(checkpoint)
    if kind:
        weights, recognised = from_pass_checkpoint(checkpoint, kind), _AUTHORS[kind]
    else:
        weights, recognised = _with_our_names(flat_weights(checkpoint), owners, wanted)
        if isinstance(checkpoint.get('teacher'), Mapping):
            recognised = "Recognised a teacher's backbone"
    if not vit_prefixes(weights):
        return None
    placed, remark = _place(weights, owners)
    if not kind and placed.keys() == _content_names(checkpoint):
        return None
    return placed, f'{recognised}{remark}.'


def _content_names(checkpoint: Mapping[str, Any]) -> set[str]:
    """Return the names that mmengine would load by itself."""
    return {name.removeprefix('module.') for name in content_of(checkpoint)}


def _with_our_names(
    weights: dict[str, Tensor], owners: list[str], wanted: set[str]
) -> tuple[dict[str, Tensor], str]:
    """Rename the weights of each ViT, and say what it is."""
    prefixes = vit_prefixes(weights)
    known = {name.removeprefix(owner) for owner in owners for name in wanted}
    for prefix in prefixes:
        inner = weights_below(weights, prefix)
        others = {k: v for k, v in weights.items() if not k.startswith(prefix)}
        weights = others | {prefix + k: v for k, v in our_names(inner, known).items()}
    if _TEACHER in prefixes:
        return weights, 'Recognised a pre-training checkpoint'
    if prefixes == ['']:
        return weights, 'Recognised a bare backbone'
    return weights, 'Recognised a backbone'


def _place(weights: dict[str, Tensor], owners: list[str]) -> tuple[dict[str, Tensor], str]:
    """Put the best backbone of a file where the model has one; say which it was."""
    sources = vit_prefixes(weights)
    if set(owners) <= set(sources) and (_TEACHER in owners or _TEACHER not in sources):
        return weights, ''
    source = best_prefix(sources)
    inner = weights_below(weights, source)
    backbones = {owner + name: value for owner in owners for name, value in inner.items()}
    remark = "; its teacher's backbone is used" if source == _TEACHER else ''
    # Neck and head of the file may fit as well, unless they belong to the student.
    beside = weights if source == _STUDENT and _STUDENT in owners else {}
    return beside | backbones, remark

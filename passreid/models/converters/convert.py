"""Recognition of what a file holds, and its weights under the names of a model."""

from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor

from .flatten import best_prefix, flatten, vit_prefixes, weights_below
from .names import part_vit_key
from .pass_checkpoint import pass_kind, rename_pass

_BACKBONE, _TEACHER = 'backbone.', 'teacher.backbone.'
_AUTHORS = {
    'pretrain': "a pre-training checkpoint of the authors' code",
    'supervised': "a fine-tuning checkpoint of the authors' code",
    'usl': "a USL or UDA checkpoint of the authors' code",
}


def convert(
    checkpoint: Mapping[str, Any], wanted: Collection[str], prefix: str | None = None
) -> tuple[dict[str, Tensor], list[str]]:
    """Give the weights of a file the names that a model, with tensors ``wanted``, has for them.

    A model without a teacher gets the teacher's backbone of pre-training; a backbone by itself gets
    the backbone of any model. What the file has beside keeps its name, so that the report of the
    load can tell that it was not used. Returns the weights, and what was recognised, in a sentence;
    with a ``prefix`` nothing is.
    """
    content = checkpoint.get('state_dict', checkpoint)
    if prefix is None and content.keys() >= set(wanted):
        # A model of ours, or any other that has its names already.
        return {k: v for k, v in content.items() if isinstance(v, Tensor)}, []
    weights = flatten(checkpoint, prefix)
    kind = None if prefix is not None else pass_kind(weights)
    if kind:
        weights = rename_pass(weights, kind)
    owners, sources = vit_prefixes(wanted), vit_prefixes(weights)
    if not (owners and sources):
        return weights, []
    recognised = ''
    if kind:
        recognised = _AUTHORS[kind]
    else:
        known = {name.removeprefix(owner) for owner in owners for name in wanted}
        weights = _with_our_names(weights, sources, known)
        if _TEACHER in sources:
            recognised = 'a pre-training checkpoint'
        elif sources == ['']:
            recognised = 'a bare backbone'
    best = best_prefix(sources)
    if not set(owners) <= set(sources) or (_TEACHER in sources and _TEACHER not in owners):
        inner = weights_below(weights, best)
        # What belongs to the student's backbone may fit as well.
        keep = best == _BACKBONE and _BACKBONE in owners
        weights = {k: v for k, v in weights.items() if keep and not k.startswith(best)}
        # A teacher that the file lacks becomes a copy of the student.
        for place in owners[:1] if _TEACHER in owners else owners:
            weights |= {place + name: value for name, value in inner.items()}
        if best == _TEACHER:
            recognised += "; its teacher's backbone is used"
    return weights, [f'Recognised {recognised}.'] if recognised else []


def _with_our_names(
    weights: dict[str, Tensor], vits: list[str], known: set[str]
) -> dict[str, Tensor]:
    """Rename the weights of each ViT but for those that the model knows as they are."""
    for vit in vits:
        inner = weights_below(weights, vit)
        weights = {k: v for k, v in weights.items() if not k.startswith(vit)} | {
            vit + (k if k in known else part_vit_key(k)): v for k, v in inner.items()
        }
    return weights

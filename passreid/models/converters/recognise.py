"""Recognition of whose checkpoint a file is."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from .cluster_keys import has_cluster_neck
from .pass_checkpoint import from_pass_checkpoint
from .vit_keys import part_vit_key

_TEACHER = 'teacher.backbone.'


def fit_checkpoint(
    checkpoint: Mapping[str, Any], wanted: set[str]
) -> tuple[dict[str, Tensor], str] | None:
    """Give the weights of a checkpoint the names that a model has for them.

    Known are the authors' files of pre-training, fine-tuning, USL and UDA, bare backbones (of
    PASS, timm, DINO, DeiT, mmpretrain), and our pre-training, of which a model without a teacher
    gets the teacher's backbone. Our own fine-tuned models need no other names: what another kind
    of model can use of them is the backbone, and the report of the load names the rest.

    Args:
        checkpoint (Mapping): Content of a file.
        wanted (set[str]): Names of the tensors of the model.

    Returns:
        tuple[dict[str, Tensor], str] | None: The weights by the names of the model, and what was
        recognised. None for a checkpoint that has these names already, and for one that is not
        known.
    """
    content = checkpoint.get('state_dict', checkpoint)
    weights = {name.removeprefix('module.'): value for name, value in content.items()}
    with_teacher = any(name.startswith(_TEACHER) for name in wanted)
    if 'teacher' in content:
        weights = from_pass_checkpoint(content, 'pretrain')
        recognised = "a pre-training checkpoint of the authors' code"
    elif any(name.startswith('base.') for name in weights):
        return (
            from_pass_checkpoint(content, 'supervised'),
            "Recognised a fine-tuning checkpoint of the authors' code.",
        )
    elif has_cluster_neck(weights.keys()):
        # A backbone without prefix: to be asked before whether it is a bare one.
        return (
            from_pass_checkpoint(content, 'usl'),
            "Recognised a USL or UDA checkpoint of the authors' code.",
        )
    elif any(name.startswith(_TEACHER) for name in weights):
        recognised = 'a pre-training checkpoint'
        if with_teacher:
            return None
    elif wanted & weights.keys():
        return None
    elif wanted & {f'backbone.{part_vit_key(name)}' for name in weights}:
        backbone = {f'backbone.{name}': value for name, value in weights.items()}
        if with_teacher:
            backbone |= {f'teacher.{name}': value for name, value in backbone.items()}
        return backbone, 'Recognised a bare backbone.'
    else:
        return None
    if with_teacher:
        return weights, f'Recognised {recognised}.'
    teacher = {
        name.removeprefix('teacher.'): value
        for name, value in weights.items()
        if name.startswith(_TEACHER)
    }
    return teacher, f"Recognised {recognised}; its teacher's backbone is used."

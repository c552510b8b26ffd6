"""Names of the weights of the authors' cluster-contrast model."""

import re
from collections.abc import Collection, Mapping

from torch import Tensor

from .vit_keys import part_vit_key

_NECK = re.compile(r'^bottleneck(?:_pt(\d+))?\.(.+)$')
_BACKBONE = re.compile(
    r'^(cls_token|cls_pos|pos_embed|part_token\d+|part\d+_pos|(patch_embed|blocks|norm)\..+)$'
)


def cluster_weights(state_dict: Mapping) -> dict[str, Tensor]:
    """Rename the weights of the authors' model of USL and UDA.

    Args:
        state_dict (Mapping): The backbone without a prefix, ``bottleneck.*``, and with a neck for
            each token also ``bottleneck_pt1.*`` to ``bottleneck_pt3.*``; all with ``module.`` in
            front, as the authors train and save.

    Returns:
        dict[str, Tensor]: ``backbone.*`` and ``neck.norms.*``, without ``fc.*``: a classifier of
        1000 classes that the authors' backbones may have and never use.

    Raises:
        KeyError: If a weight belongs to none of these.
    """
    weights = {key.removeprefix('module.'): value for key, value in state_dict.items()}
    return {_our_key(key): value for key, value in weights.items() if not key.startswith('fc.')}


def has_cluster_neck(names: Collection[str]) -> bool:
    """Whether weights are those of the authors' model of USL and UDA.

    Their supervised model has ``bottleneck.*`` as well, but its backbone is called ``base.*``.

    Args:
        names (Collection[str]): Names without ``module.``.
    """
    return 'bottleneck.weight' in names and not any(name.startswith('base.') for name in names)


def _our_key(key: str) -> str:
    if match := _NECK.match(key):
        token, rest = match.groups()
        return f'neck.norms.{token or 0}.{rest}'
    if _BACKBONE.match(key):
        return f'backbone.{part_vit_key(key)}'
    raise KeyError(f'{key!r} is not a weight of the cluster-contrast model of PASS')

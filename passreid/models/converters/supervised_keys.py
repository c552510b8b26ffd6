"""Names of the weights of the authors' supervised model."""

import re
from collections.abc import Mapping

from torch import Tensor

from .vit_keys import part_vit_key

_NECK = re.compile(r'^bottleneck(?:_(\d+))?\.(.+)$')


def supervised_weights(state_dict: Mapping) -> dict[str, Tensor]:
    """Rename the weights of the authors' supervised model.

    Args:
        state_dict (Mapping): ``base.*``, ``bottleneck.*``, with a neck for each
            token also ``bottleneck_1.*`` to ``bottleneck_3.*``, and
            ``classifier.weight``; all with ``module.`` in front when several
            processes trained it.

    Returns:
        dict[str, Tensor]: ``backbone.*``, ``head.neck.*`` and
        ``head.classifier.weight``, without ``base.fc.*``: a classifier of 1000
        classes that the authors' model has and never uses.

    Raises:
        KeyError: If a weight belongs to none of these.
    """
    weights = {key.removeprefix('module.'): value for key, value in state_dict.items()}
    return {
        _our_key(key): value for key, value in weights.items() if not key.startswith('base.fc.')
    }


def _our_key(key: str) -> str:
    if key.startswith('base.'):
        return f'backbone.{part_vit_key(key.removeprefix("base."))}'
    if match := _NECK.match(key):
        token, rest = match.groups()
        return f'head.neck.norms.{token or 0}.{rest}'
    if key == 'classifier.weight':
        return f'head.{key}'
    raise KeyError(f'{key!r} is not a weight of the supervised model of PASS')

"""PASS: part-aware self-supervised pre-training for person re-identification."""

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

# mmcv-lite has no compiled operators; nothing here needs them. Before mmpretrain is imported.
warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')

from .utils.config import register_model_zoo  # noqa: E402
from .version import __version__  # noqa: E402

if TYPE_CHECKING:
    from .apis.get_model import get_model
    from .apis.hub import from_pretrained, push_to_hub, save_pretrained
    from .apis.reid_inferencer import ReIDInferencer

__all__ = [
    'ReIDInferencer',
    '__version__',
    'from_pretrained',
    'get_model',
    'push_to_hub',
    'save_pretrained',
]

register_model_zoo()


def __getattr__(name: str) -> Any:
    """Import the entry points when they are asked for: they need everything else."""
    if name in __all__:
        return getattr(import_module('.apis', __name__), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')

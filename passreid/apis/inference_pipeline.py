"""How a config loads an image of which nothing is known."""

from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

from passreid.engine.hooks import PseudoLabelHook
from passreid.registry import HOOKS, type_of


def inference_pipeline(cfg: Config) -> list[dict[str, Any]]:
    """Return the configs of the transforms of a test, of which the first reads the image.

    They are those of ``test_dataloader``, else ``val_dataloader`` (of several test sets the
    first), else of :class:`PseudoLabelHook`. A config of pre-training may have none of them: then
    images are resized (bilinear) to the ``img_size`` of the backbone.
    """
    for pipeline in _pipelines(cfg):
        return [dict(step) for step in pipeline]
    size = (cfg.model.get('backbone') or {}).get('img_size')
    if size is None:
        raise ValueError(
            f'{cfg.filename or "the config"} has no test_dataloader, val_dataloader or '
            'PseudoLabelHook that says how an image is loaded, and no model.backbone.img_size'
        )
    height, width = (size, size) if isinstance(size, int) else size
    return [
        dict(type='LoadPersonImage'),
        dict(type='Resize', scale=(width, height), interpolation='bilinear', backend='pillow'),
        dict(type='PackInputs', meta_keys=('img_path', 'cam_id', 'is_query', 'sample_idx')),
    ]


def _pipelines(cfg: Config) -> Iterator[Any]:
    """Yield what the config says, the best first."""
    for name in ('test_dataloader', 'val_dataloader'):
        loader = cfg.get(name)
        loader = loader[0] if isinstance(loader, list | tuple) and loader else loader
        if loader and 'pipeline' in loader.dataset:
            yield loader.dataset.pipeline
    hooks = [*(cfg.get('default_hooks') or {}).values(), *(cfg.get('custom_hooks') or ())]
    for hook in hooks:
        if issubclass(type_of(hook, HOOKS), PseudoLabelHook):
            yield hook['pipeline']

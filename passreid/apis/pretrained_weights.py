"""Pre-trained weights that a run does not need."""

from typing import Any

from mmengine.config import Config
from mmengine.model import PretrainedInit


def skip_pretrained_weights(cfg: Config) -> None:
    """Drop ``init_cfg`` of type 'Pretrained' from the model of a resumed run, in place.

    The checkpoint holds every weight, and the file that the run began with may be gone.

    Args:
        cfg (Config): The config of a runner. It is changed.
    """
    if cfg.get('resume') and cfg.get('load_from'):
        drop_pretrained(cfg.get('model'))


def drop_pretrained(node: Any) -> None:
    """Drop ``init_cfg`` of type 'Pretrained' from the config of a model, in place.

    Args:
        node (Any): The config, or any entry of it.
    """
    if not isinstance(node, dict):
        return
    init_cfg = node.get('init_cfg') or ()
    given = [init_cfg] if isinstance(init_cfg, dict) else init_cfg
    others = [one for one in given if one.get('type') not in ('Pretrained', PretrainedInit)]
    if len(others) < len(given):
        node['init_cfg'] = others or None
    for child in node.values():
        drop_pretrained(child)

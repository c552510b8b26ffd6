"""Pre-trained weights that a run does not need."""

from typing import Any

from mmengine.config import Config


def skip_pretrained_weights(cfg: Config) -> None:
    """Drop ``init_cfg`` of type 'Pretrained' from the model of a resumed run, in place.

    The checkpoint holds every weight, and the file that the run began with may be gone.

    Args:
        cfg (Config): The config of a runner. It is changed.
    """
    if cfg.get('resume') and cfg.get('load_from'):
        _drop(cfg.get('model'))


def _drop(node: Any) -> None:
    if not isinstance(node, dict):
        return
    init_cfg = node.get('init_cfg')
    if isinstance(init_cfg, dict) and init_cfg.get('type') == 'Pretrained':
        node['init_cfg'] = None
    for child in node.values():
        _drop(child)

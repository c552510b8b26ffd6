"""The switch ``tensorboard`` of a config."""

from importlib.util import find_spec

from mmengine.config import Config
from mmengine.visualization import TensorboardVisBackend

from passreid.registry import VISBACKENDS, type_of


def add_tensorboard(cfg: Config) -> None:
    """Let a run write its curves for TensorBoard, too, when the config says so, in place.

    ``tensorboard=True`` adds mmengine's backend to those of the visualizer, which a command line
    could only replace. Others are listed in ``visualizer.vis_backends`` of a config.

    Args:
        cfg (Config): The config of a runner. It is changed.

    Raises:
        ImportError: When TensorBoard is asked for, here or in the list, and not installed.
    """
    wanted = cfg.pop('tensorboard', False)
    visualizer = cfg.get('visualizer') or dict(
        type='Visualizer', vis_backends=[dict(type='LocalVisBackend')]
    )
    if not isinstance(visualizer, dict):
        return
    backends = list(visualizer.get('vis_backends') or [])
    listed = any(issubclass(type_of(one, VISBACKENDS), TensorboardVisBackend) for one in backends)
    if not (wanted or listed):
        return
    if find_spec('tensorboard') is None:
        raise ImportError(
            'The config asks for TensorBoard (tensorboard=True, or TensorboardVisBackend in '
            'visualizer.vis_backends), which is not installed: pip install tensorboard'
        )
    if not listed:
        backends.append(dict(type='TensorboardVisBackend'))
        cfg.visualizer = dict(visualizer, vis_backends=backends)

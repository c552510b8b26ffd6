"""Figures of a run in trackio, which keeps them on this machine."""

from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.visualization import BaseVisBackend
from mmengine.visualization.vis_backend import force_init_env

from passreid.registry import VISBACKENDS


@VISBACKENDS.register_module()
class TrackioVisBackend(BaseVisBackend):
    """Write the figures of a run to `trackio <https://github.com/gradio-app/trackio>`_.

    ``trackio show`` opens the page. It needs ``pip install trackio``.

    Args:
        save_dir (str): That of the visualizer; the folder above it gives the run its name.
        project (str): Name of the project. Defaults to 'passreid'.
        **kwargs: Of ``trackio.init``, such as ``name`` and ``space_id``.
    """

    def __init__(self, save_dir: str, project: str = 'passreid', **kwargs: Any) -> None:
        super().__init__(save_dir)
        name = Path(save_dir).resolve().parent.parent.name
        self.options: dict[str, Any] = dict(project=project, name=name) | kwargs

    def _init_env(self) -> None:
        """Begin the run."""
        import trackio

        self._run = trackio.init(**self.options, embed=False)

    @property
    @force_init_env
    def experiment(self) -> Any:
        """The run."""
        return self._run

    def add_config(self, config: Config, **kwargs: Any) -> None:
        """Begin the run with its config."""
        self.options.setdefault('config', dict(config=config.pretty_text))

    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """Write one figure."""
        self.add_scalars({name: value}, step)

    def add_scalars(
        self, scalar_dict: dict, step: int = 0, file_path: str | None = None, **kwargs: Any
    ) -> None:
        """Write the figures of a step."""
        figures = {name: float(value) for name, value in scalar_dict.items()}
        self.experiment.log(figures, step=step)

    def close(self) -> None:
        """End the run."""
        if hasattr(self, '_run'):
            self._run.finish()

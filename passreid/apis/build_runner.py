"""The one way from a config to a Runner that works on this machine."""

import copy
import itertools
import os
import warnings
from pathlib import Path

from mmengine.config import Config
from mmengine.runner import Runner

from passreid.engine.runners import SafeRunner
from passreid.registry import RUNNERS, SCOPE, name_types, register_all_modules, type_of
from passreid.utils.checkpoint_loading import secure_checkpoint_loading
from passreid.utils.config import misspelt
from passreid.utils.device import has_accelerator
from passreid.utils.distributed import choose_port, init_cpu_process_group
from passreid.utils.messages import is_worth_reading
from passreid.version import __version__, git_commit

from . import fit_config
from .resume import latest_checkpoint

_runner_numbers = itertools.count(1)


def build_runner(cfg: Config | dict | str | Path) -> Runner:
    """Build a Runner that trains or tests a config on whatever machine this is.

    The config is fitted to the machine and to the data set (:mod:`.fit_config`); the one written to
    the work directory is the one given, so that it serves on another. Checkpoints load without
    running code, and a resumed run does not ask for the pre-trained weights it once began with.
    Several runners can live in one process.

    Args:
        cfg (Config | dict | str | Path): A config, or the file that holds it. It is not
            changed. ``work_dir`` defaults to ``work_dirs/<name of the config file>``,
            ``default_scope`` to 'passreid'. ``resume='auto'`` continues from the latest
            checkpoint of the work directory that is whole, if there is one. ``compile`` and
            ``tensorboard`` are switches.

    Returns:
        Runner: Ready for ``train()``, ``val()`` or ``test()``.

    Raises:
        FileNotFoundError: When there is no such config file or checkpoint.
        RuntimeError: When the work directory holds damaged checkpoints only.
        ValueError: When the config has no ``model``, or ``activation_checkpointing``.

    Examples:
        >>> from passreid.apis import build_runner
        >>> runner = build_runner('configs/pass/pass_vit-t8_synthetic.py')  # doctest: +SKIP
        >>> runner.train()  # doctest: +SKIP
    """
    given = load_config(cfg)
    given.setdefault('work_dir', os.path.join('work_dirs', _stem(given)))
    given.setdefault('launcher', 'none')
    # Configs in Python's own style have none, or None.
    given.default_scope = given.get('default_scope') or SCOPE
    if not given.get('model'):
        raise ValueError(f'{given.filename or "the config"} has no `model`')
    if given.get('activation_checkpointing'):  # mmengine's trains no backbone, silently.
        raise ValueError('activation_checkpointing: use model.backbone.with_cp=True instead')
    register_all_modules(init_default_scope=False)
    secure_checkpoint_loading()
    # mmengine still names torch's scaler by its old path.
    warnings.filterwarnings('ignore', r'`torch\.cuda\.amp\.GradScaler', FutureWarning)
    fitted = copy.deepcopy(given)
    if fitted.launcher != 'none':
        _start_processes(fitted)
    notes = [
        f'The config has an entry {name!r} that nothing reads; did you mean {meant!r}?'
        for name, meant in misspelt({*given} - given._imported_names).items()
    ]
    notes += _choose_checkpoint(fitted) + fit_config.fit_to_device(fitted)
    facts = fit_config.fill_num_classes(fitted)
    fit_config.fill_batch_size(fitted)
    fit_config.count_accumulated_batches(fitted)
    fit_config.add_tensorboard(fitted)
    compiled = fitted.pop('compile', None) or False
    _make_names_unique(fitted)
    runner = _runner_class(fitted).from_cfg(fitted)
    runner.logger.addFilter(is_worth_reading)
    for note in notes:
        runner.logger.warning(note)
    commit = git_commit()
    runner.logger.info(f'passreid {__version__}' + (f', commit {commit}' if commit else ''))
    for fact in facts + fit_config.compile_backbones(runner.model, compiled):
        runner.logger.info(fact)
    runner.cfg = given
    runner.dump_config()
    # mmengine would compile the whole training step.
    runner.cfg.pop('compile', None)
    return runner


def load_config(cfg: Config | dict | str | Path) -> Config:
    """Return a config of its own, read from a file when ``cfg`` names one.

    Args:
        cfg (Config | dict | str | Path): A config, or the file that holds it.

    Returns:
        Config: A copy; changing it leaves ``cfg`` alone. Classes in it have become their names.

    Raises:
        FileNotFoundError: When there is no such file.
    """
    if isinstance(cfg, str | Path):
        if not Path(cfg).is_file():
            raise FileNotFoundError(f'There is no config file {cfg} (looked from {os.getcwd()})')
        try:
            cfg = Config.fromfile(cfg)
        except Exception as error:
            # mmengine passes on what Python says of a copy of the file.
            error.add_note(f'This is from the config file {cfg}')
            raise
    own = copy.deepcopy(cfg) if isinstance(cfg, Config) else Config(copy.deepcopy(cfg))
    name_types(own._cfg_dict, own.get('default_scope') or SCOPE)
    return own


def _runner_class(cfg: Config) -> type[SafeRunner]:
    """Return the runner that a config asks for."""
    if cfg.get('runner_type', 'Runner') == 'Runner':
        return SafeRunner
    kind = type_of(cfg, RUNNERS, key='runner_type')
    if not issubclass(kind, SafeRunner):
        raise ValueError(f'runner_type is {cfg.runner_type!r}, but must be derived from SafeRunner')
    return kind


def _stem(cfg: Config) -> str:
    """Return what a run is called: the name of its config file."""
    return Path(cfg.filename).stem if cfg.filename else SCOPE


def _start_processes(cfg: Config) -> None:
    """Join the processes of a distributed run where mmengine's own set-up cannot."""
    choose_port(cfg.launcher)
    if not has_accelerator():
        dist_cfg = cfg.get('env_cfg', {}).get('dist_cfg', {})
        init_cpu_process_group(cfg.launcher, dist_cfg.get('timeout', 1800))


def _choose_checkpoint(cfg: Config) -> list[str]:
    """Turn ``resume='auto'`` into a checkpoint, or into a fresh start with ``load_from``.

    ``resume=True`` without ``load_from`` means the same. Of a run that is resumed, every weight is
    in the checkpoint.
    """
    notes = []
    if cfg.get('resume') == 'auto' or (cfg.get('resume') and not cfg.get('load_from')):
        checkpoint, note = latest_checkpoint(cfg.work_dir)
        cfg.resume = checkpoint is not None
        cfg.load_from = checkpoint or cfg.get('load_from')
        notes = [note] if note else []
    if cfg.get('resume'):
        fit_config.drop_pretrained(cfg.model)
    return notes


def _make_names_unique(cfg: Config) -> None:
    """Name the experiment and visualizer apart from those of earlier runners.

    mmengine hands out loggers, message hubs and visualizers by name, process-wide.
    """
    number = next(_runner_numbers)
    name = cfg.get('experiment_name') or _stem(cfg)
    cfg.experiment_name = name if number == 1 else f'{name}-{number}'
    visualizer = cfg.get('visualizer')
    if isinstance(visualizer, dict) and number > 1 and 'name' in visualizer:
        visualizer['name'] = f'{visualizer["name"]}-{number}'

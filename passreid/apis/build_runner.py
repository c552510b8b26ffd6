"""The one way from a config to a Runner that works on this machine."""

import copy
import itertools
import os
from pathlib import Path

from mmengine.config import Config
from mmengine.runner import Runner

from passreid.engine.runners import SafeRunner
from passreid.registry import RUNNERS, name_types, type_of
from passreid.utils.checkpoint_loading import secure_checkpoint_loading
from passreid.utils.config import likely_misspelt, read_switches
from passreid.utils.device import has_accelerator
from passreid.utils.distributed import choose_port, init_cpu_process_group
from passreid.utils.quiet import KnownNoiseFilter, silence_known_warnings
from passreid.utils.setup_env import SCOPE, register_all_modules

from .auto_resume import resolve_auto_resume
from .compile_backbones import compile_backbones
from .device_fitness import fit_to_device
from .num_classes import fill_num_classes
from .pretrained_weights import skip_pretrained_weights
from .sampler_batch import fill_batch_size
from .tensorboard import add_tensorboard
from .total_batch import count_accumulated_batches, describe_total_batch

_runner_numbers = itertools.count(1)


def build_runner(cfg: Config | dict | str | Path) -> Runner:
    """Build a Runner that trains or tests a config on whatever machine this is.

    It registers passreid's modules, starts the gloo process group of a distributed run
    without GPUs, replaces what needs an accelerator where there is none (with a
    warning), lets ``auto_scale_lr`` count gradient accumulation, reads ``num_classes`` from the
    train set where a head leaves it out, averages batch statistics over the processes after each
    epoch, and makes checkpoints load without running code. A resumed run does not ask for the
    pre-trained weights it once began with. Several runners can live in one process.

    Two switches are read here: ``compile`` (:func:`.compile_backbones`) and ``tensorboard``
    (:func:`.add_tensorboard`).

    The config written to the work directory is the one given, not the one fitted to
    this machine, so that it serves on another.

    Args:
        cfg (Config | dict | str | Path): A config, or the file that holds it. It is not
            changed. ``work_dir`` defaults to ``work_dirs/<name of the config file>``,
            ``default_scope`` to 'passreid'. ``resume='auto'`` continues from the latest
            checkpoint of the work directory that is whole, if there is one.

    Returns:
        Runner: Ready for ``train()``, ``val()`` or ``test()``.

    Raises:
        FileNotFoundError: When there is no such config file or checkpoint.
        RuntimeError: When the work directory holds damaged checkpoints only.
        ValueError: When the config has no ``model``, a word that is neither yes nor no where one is
            wanted, or asks for what this runner cannot do.

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
    if given.get('activation_checkpointing'):
        raise ValueError(
            'activation_checkpointing: mmengine recomputes in a way that trains no backbone and '
            'counts batch statistics twice. Use model.backbone.with_cp=True'
        )
    register_all_modules(init_default_scope=False)
    read_switches(given)
    silence_known_warnings()
    secure_checkpoint_loading()
    fitted = copy.deepcopy(given)
    _prepare_processes(fitted)
    notes = likely_misspelt(given) + resolve_auto_resume(fitted) + fit_to_device(fitted)
    facts = fill_num_classes(fitted)
    fill_batch_size(fitted)
    add_tensorboard(fitted)
    skip_pretrained_weights(fitted)
    count_accumulated_batches(fitted)
    _make_names_unique(fitted)
    runner = _runner_class(fitted).from_cfg(fitted)
    runner.logger.addFilter(KnownNoiseFilter())
    for note in notes:
        runner.logger.warning(note)
    if batch := describe_total_batch(given, runner.world_size):
        facts.append(batch)
    runner.cfg = given
    runner.dump_config()
    facts += compile_backbones(runner.model, runner.cfg)
    for fact in facts:
        runner.logger.info(fact)
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
    if 'runner_type' not in cfg or (kind := type_of(cfg, RUNNERS, key='runner_type')) is Runner:
        return SafeRunner
    if not issubclass(kind, SafeRunner):
        raise ValueError(
            f'runner_type is {cfg.runner_type!r}, but must be SafeRunner or a class of your own '
            'that is derived from it: other runners would lose what build_runner adds'
        )
    return kind


def _stem(cfg: Config) -> str:
    """Return what a run is called: the name of its config file."""
    return Path(cfg.filename).stem if cfg.filename else SCOPE


def _prepare_processes(cfg: Config) -> None:
    """Set what must be there before mmengine sets up the processes of a distributed run."""
    if cfg.launcher == 'none':
        return
    # One thread a process unless told otherwise: mmengine's choice, without its warning.
    for name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'):
        os.environ.setdefault(name, '1')
    choose_port(cfg.launcher)
    if not has_accelerator():
        dist_cfg = cfg.get('env_cfg', {}).get('dist_cfg', {})
        init_cpu_process_group(cfg.launcher, dist_cfg.get('timeout'))


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

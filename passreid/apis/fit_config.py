"""What the machine, the data set and the switches of a run force upon its config."""

import inspect
import logging
from typing import Any

from mmengine.config import Config
from mmengine.model import PretrainedInit
from mmengine.optim import AmpOptimWrapper
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from passreid.models import ReIDHead
from passreid.registry import (
    DATA_SAMPLERS,
    DATASETS,
    MODEL_WRAPPERS,
    MODELS,
    OPTIM_WRAPPERS,
    SCOPE,
    find_entries,
    type_of,
)
from passreid.utils.config import dataloader_configs
from passreid.utils.device import has_accelerator
from passreid.utils.distributed import unwrap_model
from passreid.utils.messages import log_level


def fit_to_device(cfg: Config) -> list[str]:
    """Make one config serve any machine, in place.

    Without an accelerator: fp32 instead of mixed precision, no pinned memory, and in several
    processes a wrapper that binds no GPU and no synchronised batch statistics. Everywhere: no
    more workers than processors.

    Args:
        cfg (Config): The config of a runner. It is changed.

    Returns:
        list[str]: What the user should know about, one sentence each.
    """
    from joblib import cpu_count  # Its import changes the environment.

    notes = []
    accelerated = has_accelerator()
    for loader in dataloader_configs(cfg):
        if not accelerated:
            loader.pin_memory = False
        loader.num_workers = min(loader.get('num_workers', 0), cpu_count())
        if loader.num_workers == 0:
            # torch refuses these options when there is no worker to apply them to.
            loader.pop('persistent_workers', None)
            loader.pop('prefetch_factor', None)
    wrapper = cfg.get('optim_wrapper')
    if not accelerated and type_of(wrapper, OPTIM_WRAPPERS) is AmpOptimWrapper:
        options = {'loss_scale', 'dtype', 'use_fsdp'}
        kept = {name: value for name, value in wrapper.items() if name not in options}
        cfg.optim_wrapper = dict(kept, type='OptimWrapper')
        notes.append('There is no accelerator: training in fp32 instead of mixed precision.')
    if cfg.launcher != 'none':
        _fit_model_wrapper(cfg, accelerated)
        if not accelerated and cfg.pop('sync_bn', None):
            # torch's SyncBatchNorm refuses tensors that are not on a GPU.
            notes.append('There is no accelerator: batch statistics are those of each process.')
    return notes


def _fit_model_wrapper(cfg: Config, accelerated: bool) -> None:
    """Complete the options of torch's distributed wrapper; leave any other as it is."""
    given = cfg.get('model_wrapper_cfg') or {}
    cfg.model_wrapper_cfg = {'type': 'MMDistributedDataParallel', **given}
    wrapper = cfg.model_wrapper_cfg
    if not issubclass(type_of(wrapper, MODEL_WRAPPERS), DistributedDataParallel):
        return
    wrapper.setdefault('find_unused_parameters', cfg.get('find_unused_parameters', False))
    # torch renamed the option; the old name prints a warning where the new one exists.
    known = inspect.signature(DistributedDataParallel).parameters
    new, old = 'forward_sync_buffers', 'broadcast_buffers'
    if new not in wrapper and old not in wrapper:
        wrapper[new if new in known else old] = False
    if not accelerated:
        wrapper.device_ids = None


def enable_mixed_precision(cfg: Config) -> None:
    """Train a config with automatic mixed precision, in place.

    A wrapper with an ``amp`` argument is given ``amp=True`` unless it has chosen a type; any other
    becomes mmengine's ``AmpOptimWrapper``.

    Args:
        cfg (Config): The config. It is changed.
    """
    wrapper = cfg.optim_wrapper
    if 'amp' in inspect.signature(type_of(wrapper, OPTIM_WRAPPERS)).parameters:
        wrapper.amp = wrapper.get('amp') or True
    else:
        wrapper.type = 'AmpOptimWrapper'
        wrapper.setdefault('loss_scale', 'dynamic')


def fill_num_classes(cfg: Config) -> list[str]:
    """Set ``num_classes`` of heads that leave it out to the ids of the train set, in place.

    An explicit None stays: such a head has no classifier.

    Args:
        cfg (Config): The config of a runner. It is changed.

    Returns:
        list[str]: What was set, one sentence each.

    Raises:
        TypeError: When the train set does not know its ids.
    """
    found = find_entries(cfg.get('model'), ReIDHead, MODELS)
    heads = [head for head in found if 'num_classes' not in head]
    if not (heads and cfg.get('train_dataloader')):
        return []
    scope = cfg.get('default_scope') or SCOPE
    with log_level(logging.ERROR):  # What it has to say is said again in the log of the run.
        dataset = DATASETS.build(dict(cfg.train_dataloader.dataset, _scope_=scope))
    if not hasattr(dataset, 'num_ids'):
        raise TypeError(
            f'{type(dataset).__name__} has no `num_ids` to size the classifier by: set '
            'model.head.num_classes'
        )
    num_ids = dataset.num_ids
    for head in heads:
        head['num_classes'] = num_ids
    return [f'The classifier has {num_ids} classes, the ids of the train set.']


def fill_batch_size(cfg: Config) -> None:
    """Tell samplers with a ``batch_size`` that of their data loader, in place.

    Args:
        cfg (Config): The config of a runner. It is changed.

    Raises:
        ValueError: When a sampler names another size than its data loader.
    """
    for loader in dataloader_configs(cfg):
        sampler = loader.get('sampler')
        kind = type_of(sampler, DATA_SAMPLERS)
        if 'batch_size' not in inspect.signature(kind).parameters:
            continue
        if sampler.setdefault('batch_size', loader.batch_size) != loader.batch_size:
            raise ValueError(
                f'{kind.__name__} has batch_size={sampler["batch_size"]}, its data loader '
                f'batch_size={loader.batch_size}: leave it out of the sampler'
            )


def count_accumulated_batches(cfg: Config) -> None:
    """Let ``auto_scale_lr`` count gradient accumulation, in place.

    mmengine scales learning rates by (processes x batch size) / ``base_batch_size``. With
    accumulation a step sees more images than that, so the base is divided by the number
    of accumulated batches.

    Args:
        cfg (Config): The config of a runner. It is changed.
    """
    scale, wrapper = cfg.get('auto_scale_lr') or {}, cfg.get('optim_wrapper') or {}
    if scale.get('enable'):
        scale['base_batch_size'] /= wrapper.get('accumulative_counts', 1)


def add_tensorboard(cfg: Config) -> None:
    """Add mmengine's TensorBoard backend to the visualizer if ``tensorboard`` is set, in place.

    Args:
        cfg (Config): The config of a runner. It is changed.
    """
    if cfg.pop('tensorboard', False):
        local = dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])
        visualizer = cfg.get('visualizer') or local
        backends = [*(visualizer.get('vis_backends') or ()), dict(type='TensorboardVisBackend')]
        cfg.visualizer = dict(visualizer, vis_backends=backends)


def drop_pretrained(node: Any) -> None:
    """Drop ``init_cfg`` of type 'Pretrained' from the config of a model, in place.

    A resumed run, or a model that is given weights, needs none; the file may be gone.

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


def compile_backbones(model: nn.Module, options: bool | dict) -> list[str]:
    """Compile the backbones of a model, in place.

    mmengine would compile the whole ``train_step``, which takes minutes, changes the random numbers
    of the augmentation, and leaves tests as they are. Backbones are where the time goes. Compiled
    in place they keep the names of their weights, and serve training, a teacher and tests alike.

    Args:
        model (nn.Module): The model, in a distributed wrapper or not.
        options (bool | dict): ``compile`` of a config: whether, or arguments of
            :func:`torch.compile`.

    Returns:
        list[str]: What the user should know about, one sentence each.
    """
    if options is False:
        return []
    arguments = {} if options is True else dict(options)
    if not arguments.keys() & {'mode', 'options', 'backend'}:
        # Stochastic depth is then that of an uncompiled run.
        arguments['options'] = {'fallback_random': True}
    modules = unwrap_model(model).named_modules()
    backbones = {name: one for name, one in modules if name.split('.')[-1] == 'backbone'}
    for backbone in backbones.values():
        backbone.compile(**arguments)
    return [f'Compiled when they first run, which takes a minute or more: {", ".join(backbones)}.']

"""Fitting of a config to the processor or accelerator it runs on."""

import inspect
from collections.abc import Iterator

from mmengine.config import Config, ConfigDict
from mmengine.registry import MODEL_WRAPPERS
from torch.nn.parallel import DistributedDataParallel

from passreid.utils.device import has_accelerator, num_usable_cpus

_DATALOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def fit_to_device(cfg: Config) -> list[str]:
    """Make one config serve any machine, in place.

    Without an accelerator: fp32 instead of mixed precision, no pinned memory, and a
    distributed wrapper that binds no GPU. Everywhere: no more workers than processors.

    Args:
        cfg (Config): The config of a runner. It is changed.

    Returns:
        list[str]: What the user should know about, one sentence each.
    """
    notes = []
    accelerated = has_accelerator()
    for name in _DATALOADERS:
        if isinstance(cfg.get(name), dict):
            _fit_dataloader(cfg[name], accelerated)
    if not accelerated and isinstance(cfg.get('optim_wrapper'), dict):
        replaced = [_to_fp32(wrapper) for wrapper in _nested_dicts(cfg.optim_wrapper)]
        if any(replaced):
            notes.append('There is no accelerator: training in fp32 instead of mixed precision.')
    if cfg.launcher != 'none':
        _fit_model_wrapper(cfg, accelerated)
    return notes


def _fit_dataloader(dataloader: ConfigDict, accelerated: bool) -> None:
    """Pin memory only for an accelerator and never start idle workers."""
    if not accelerated:
        dataloader.pin_memory = False
    dataloader.num_workers = min(dataloader.get('num_workers', 0), num_usable_cpus())
    if dataloader.num_workers == 0:
        # torch refuses these options when there is no worker to apply them to.
        dataloader.pop('persistent_workers', None)
        dataloader.pop('prefetch_factor', None)


def _nested_dicts(node: ConfigDict) -> Iterator[ConfigDict]:
    """Yield a wrapper's config and those inside it, one for each of several optimisers."""
    yield node
    for child in node.values():
        if isinstance(child, dict):
            yield from _nested_dicts(child)


def _to_fp32(wrapper: ConfigDict) -> bool:
    """Replace mmengine's AMP wrapper, which asserts a GPU; return whether it was one."""
    kind = wrapper.get('type')
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', '')
    if name.split('.')[-1] != 'AmpOptimWrapper':
        return False
    wrapper.type = 'OptimWrapper'
    for option in ('loss_scale', 'dtype', 'use_fsdp'):
        wrapper.pop(option, None)
    return True


def _fit_model_wrapper(cfg: Config, accelerated: bool) -> None:
    """Complete the distributed wrapper of a config that names none or a plain one."""
    wrapper = cfg.setdefault('model_wrapper_cfg', {})
    wrapper.setdefault('type', 'MMDistributedDataParallel')
    kind = wrapper.type if inspect.isclass(wrapper.type) else MODEL_WRAPPERS.get(wrapper.type)
    if not (inspect.isclass(kind) and issubclass(kind, DistributedDataParallel)):
        return
    wrapper.setdefault('find_unused_parameters', cfg.get('find_unused_parameters', False))
    # torch renamed the option; the old name prints a warning where the new one exists.
    known = inspect.signature(DistributedDataParallel.__init__).parameters
    new, old = 'forward_sync_buffers', 'broadcast_buffers'
    if new not in wrapper and old not in wrapper:
        wrapper[new if new in known else old] = False
    if not accelerated:
        wrapper.device_ids = None

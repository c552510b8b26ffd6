"""Fitting of a config to the processor or accelerator it runs on."""

import inspect

from mmengine.config import Config, ConfigDict
from torch.nn.parallel import DistributedDataParallel

from passreid.registry import MODEL_WRAPPERS, type_of
from passreid.utils.config import dataloader_configs
from passreid.utils.device import has_accelerator, num_usable_cpus
from passreid.utils.mixed_precision import disable_mixed_precision


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
    notes = []
    accelerated = has_accelerator()
    for dataloader in dataloader_configs(cfg):
        _fit_dataloader(dataloader, accelerated)
    if not accelerated and disable_mixed_precision(cfg):
        notes.append('There is no accelerator: training in fp32 instead of mixed precision.')
    if cfg.launcher != 'none':
        _fit_model_wrapper(cfg, accelerated)
        if not accelerated and cfg.pop('sync_bn', None):
            # torch's SyncBatchNorm refuses tensors that are not on a GPU.
            notes.append('There is no accelerator: batch statistics are those of each process.')
    return notes


def _fit_dataloader(dataloader: ConfigDict, accelerated: bool) -> None:
    """Pin memory only for an accelerator and start no more workers than can run."""
    if not accelerated:
        dataloader.pin_memory = False
    dataloader.num_workers = min(dataloader.get('num_workers', 0), num_usable_cpus())
    if dataloader.num_workers == 0:
        # torch refuses these options when there is no worker to apply them to.
        dataloader.pop('persistent_workers', None)
        dataloader.pop('prefetch_factor', None)


def _fit_model_wrapper(cfg: Config, accelerated: bool) -> None:
    """Complete the options of torch's distributed wrapper; leave any other as it is."""
    cfg.model_wrapper_cfg = {
        'type': 'MMDistributedDataParallel',
        **(cfg.get('model_wrapper_cfg') or {}),
    }
    wrapper = cfg.model_wrapper_cfg
    if not issubclass(type_of(wrapper, MODEL_WRAPPERS), DistributedDataParallel):
        return
    wrapper.setdefault('find_unused_parameters', cfg.get('find_unused_parameters', False))
    # torch renamed the option; the old name prints a warning where the new one exists.
    known = inspect.signature(DistributedDataParallel.__init__).parameters
    new, old = 'forward_sync_buffers', 'broadcast_buffers'
    if new not in wrapper and old not in wrapper:
        wrapper[new if new in known else old] = False
    if not accelerated:
        wrapper.device_ids = None

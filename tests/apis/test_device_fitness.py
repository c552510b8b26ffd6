import inspect

import pytest
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from torch.nn.parallel import DistributedDataParallel

from passreid.apis import device_fitness
from passreid.apis.device_fitness import fit_to_device


@pytest.fixture
def on_cpu(monkeypatch):
    monkeypatch.setattr(device_fitness, 'has_accelerator', lambda: False)
    monkeypatch.setattr(device_fitness, 'num_usable_cpus', lambda: 2)


@pytest.fixture
def on_gpu(monkeypatch):
    monkeypatch.setattr(device_fitness, 'has_accelerator', lambda: True)
    monkeypatch.setattr(device_fitness, 'num_usable_cpus', lambda: 2)


def _amp_config(launcher='none', **entries):
    return Config(
        {
            'launcher': launcher,
            'optim_wrapper': {'type': 'AmpOptimWrapper', 'loss_scale': 512.0},
            'train_dataloader': {'num_workers': 8, 'persistent_workers': True, 'pin_memory': True},
            **entries,
        }
    )


def test_cpu_trains_in_fp32_without_pinned_memory(on_cpu):
    cfg = _amp_config()
    assert fit_to_device(cfg) == [
        'There is no accelerator: training in fp32 instead of mixed precision.'
    ]
    assert cfg.optim_wrapper == {'type': 'OptimWrapper'}
    assert cfg.train_dataloader == {
        'num_workers': 2,
        'persistent_workers': True,
        'pin_memory': False,
    }


def test_gpu_keeps_mixed_precision(on_gpu):
    cfg = _amp_config()
    assert fit_to_device(cfg) == []
    assert cfg.optim_wrapper == {'type': 'AmpOptimWrapper', 'loss_scale': 512.0}
    assert cfg.train_dataloader.pin_memory is True


def test_options_of_workers_go_with_the_workers(on_gpu):
    loader = {'num_workers': 0, 'persistent_workers': True, 'prefetch_factor': 4}
    cfg = _amp_config(val_dataloader=loader)
    fit_to_device(cfg)
    assert cfg.val_dataloader == {'num_workers': 0}


@pytest.mark.parametrize(
    'kind',
    ['MMDistributedDataParallel', 'mmengine.MMDistributedDataParallel', MMDistributedDataParallel],
)
def test_wrapper_on_cpu_binds_no_device(on_cpu, kind):
    cfg = _amp_config('pytorch', find_unused_parameters=True)
    cfg.model_wrapper_cfg = {'type': kind}
    fit_to_device(cfg)
    wrapper = cfg.model_wrapper_cfg
    assert wrapper.type == kind
    assert wrapper.device_ids is None
    assert wrapper.find_unused_parameters is True
    # Every option is one that this torch knows.
    options = set(wrapper) - {'type'}
    assert options <= set(inspect.signature(DistributedDataParallel.__init__).parameters)
    assert False in (wrapper.get('forward_sync_buffers'), wrapper.get('broadcast_buffers'))


def test_wrapper_on_gpu_keeps_what_the_config_says(on_gpu):
    cfg = _amp_config('pytorch', model_wrapper_cfg={'static_graph': True})
    fit_to_device(cfg)
    assert cfg.model_wrapper_cfg.type == 'MMDistributedDataParallel'
    assert cfg.model_wrapper_cfg.static_graph is True
    assert 'device_ids' not in cfg.model_wrapper_cfg


def test_other_wrappers_are_left_alone(on_cpu):
    cfg = _amp_config('pytorch', model_wrapper_cfg={'type': 'MMFullyShardedDataParallel'})
    fit_to_device(cfg)
    assert cfg.model_wrapper_cfg == {'type': 'MMFullyShardedDataParallel'}


def test_batch_statistics_are_synchronised_on_gpus_only(on_cpu):
    cfg = _amp_config(launcher='pytorch', sync_bn='torch')
    assert 'batch statistics are those of each process' in fit_to_device(cfg)[-1]
    assert 'sync_bn' not in cfg


def test_batch_statistics_stay_synchronised_on_gpus(on_gpu):
    cfg = _amp_config(launcher='pytorch', sync_bn='torch')
    assert fit_to_device(cfg) == []
    assert cfg.sync_bn == 'torch'

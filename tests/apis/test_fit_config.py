import inspect
import json
from pathlib import Path

import joblib
import pytest
import torch
import toy_models  # noqa: F401  (registers the data set)
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_runs import (
    NUM_TRAIN_IDS,
    masked_config,
    pass_config,
    quick_start,
    reid_config,
    write_crops,
    write_people,
)
from torch.nn.parallel import DistributedDataParallel

from passreid.apis import build_runner, fit_config, prepare_test
from passreid.datasets import IdentitySampler
from passreid.models import ReIDHead
from passreid.registry import OPTIM_WRAPPERS
from passreid.utils import register_all_modules
from passreid.utils.distributed import unwrap_model

ROOT = Path(__file__).parents[2]
# Traces the graphs as for any backend, and runs them without a C++ compiler.
TRACED = dict(backend='eager')


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    register_all_modules(init_default_scope=False)
    folder = tmp_path_factory.mktemp('data')
    write_crops(folder / 'crops')
    write_people(folder / 'people')
    return folder


@pytest.fixture
def config(data, tmp_path):
    def make(kind='reid', name='run', **changes):
        if kind in ('pass', 'masked'):
            changes = dict(train_cfg__max_epochs=1) | changes
            pre_training = pass_config if kind == 'pass' else masked_config
            return pre_training(ROOT, data / 'crops', tmp_path / name, **changes)
        return reid_config(ROOT, data / 'people', tmp_path / name, **changes)

    return make


@pytest.fixture(params=[False, True], ids=['cpu', 'gpu'])
def accelerated(request, monkeypatch):
    monkeypatch.setattr(fit_config, 'has_accelerator', lambda: request.param)
    monkeypatch.setattr(joblib, 'cpu_count', lambda: 2)
    return request.param


def amp_config(**entries):
    loader = {'num_workers': 8, 'persistent_workers': True, 'pin_memory': True}
    return Config(
        {
            'launcher': 'none',
            'optim_wrapper': {'type': 'AmpOptimWrapper', 'loss_scale': 512.0, 'clip_grad': {}},
            'train_dataloader': loader,
            'val_dataloader': loader | {'num_workers': 0, 'prefetch_factor': 4},
            **entries,
        }
    )


@pytest.mark.parametrize('kind', ['AmpOptimWrapper', 'mmengine.AmpOptimWrapper', AmpOptimWrapper])
def test_precision_and_workers(accelerated, kind):
    cfg = amp_config()
    cfg.optim_wrapper.type = kind
    before = cfg.optim_wrapper.to_dict()
    notes = fit_config.fit_to_device(cfg)
    assert any('fp32' in note for note in notes) != accelerated
    fp32 = {'type': 'OptimWrapper', 'clip_grad': {}}
    assert cfg.optim_wrapper == (before if accelerated else fp32)
    assert cfg.train_dataloader.pin_memory == accelerated
    assert cfg.train_dataloader.num_workers == 2 and cfg.train_dataloader.persistent_workers
    assert not {'persistent_workers', 'prefetch_factor'} & cfg.val_dataloader.keys()


@pytest.mark.parametrize(
    'kind',
    ['MMDistributedDataParallel', 'mmengine.MMDistributedDataParallel', MMDistributedDataParallel],
)
def test_wrapper_of_several_processes(accelerated, kind):
    cfg = amp_config(launcher='pytorch', find_unused_parameters=True, sync_bn='torch')
    cfg.model_wrapper_cfg = {'type': kind, 'static_graph': True}
    fit_config.fit_to_device(cfg)
    wrapper = cfg.model_wrapper_cfg
    assert (wrapper.type, wrapper.static_graph, wrapper.find_unused_parameters) == (
        kind,
        True,
        True,
    )
    # Without an accelerator none is bound, and batch statistics are not synchronised.
    assert wrapper.get('device_ids', 'left out') == ('left out' if accelerated else None)
    assert ('sync_bn' in cfg) == accelerated
    # Every option is one that this torch knows.
    assert {*wrapper} - {'type'} <= {*inspect.signature(DistributedDataParallel).parameters}
    assert False in (wrapper.get('forward_sync_buffers'), wrapper.get('broadcast_buffers'))


def test_other_wrappers_are_left_alone():
    cfg = amp_config(launcher='pytorch', model_wrapper_cfg={'type': 'MMFullyShardedDataParallel'})
    fit_config.fit_to_device(cfg)
    assert cfg.model_wrapper_cfg == {'type': 'MMFullyShardedDataParallel'}


@OPTIM_WRAPPERS.register_module()
class SwitchedWrapper(OptimWrapper):
    def __init__(self, *args, amp=False, **kwargs):
        super().__init__(*args, **kwargs)


@pytest.mark.parametrize(
    ('before', 'after'),
    [
        ({'type': 'OptimWrapper'}, {'type': 'AmpOptimWrapper', 'loss_scale': 'dynamic'}),
        ({'type': OptimWrapper}, {'type': 'AmpOptimWrapper', 'loss_scale': 'dynamic'}),
        ({'type': 'SwitchedWrapper'}, {'type': 'SwitchedWrapper', 'amp': True}),
        ({'type': 'SwitchedWrapper', 'amp': 'bfloat16'},) * 2,
    ],
)
def test_mixed_precision_on_request(before, after):
    cfg = Config({'optim_wrapper': before})
    fit_config.enable_mixed_precision(cfg)
    assert cfg.optim_wrapper == after


class OwnHead(ReIDHead):
    """One that a user made of ours."""


@pytest.mark.parametrize('kind', [ReIDHead, OwnHead, 'passreid.models.heads.ReIDHead'])
def test_number_of_classes_is_that_of_the_train_set(config, kind):
    cfg = config()
    cfg.model.head.type = kind
    (fact,) = fit_config.fill_num_classes(cfg)
    assert cfg.model.head.num_classes == NUM_TRAIN_IDS == 8 and '8 classes' in fact


@pytest.mark.parametrize('number', [751, None])
def test_number_of_classes_of_the_config_stays(config, number):
    cfg = config(model__head__num_classes=number)
    # Not even looked at.
    cfg.train_dataloader.dataset.data_root = 'nowhere'
    assert fit_config.fill_num_classes(cfg) == []
    assert cfg.model.head.num_classes == number


def test_number_of_classes_that_nobody_knows(config):
    cfg = config()
    cfg.train_dataloader.dataset = dict(type='ToyPeople')
    with pytest.raises(TypeError, match=r'ToyPeople has no `num_ids`.*model\.head\.num_classes'):
        fit_config.fill_num_classes(cfg)
    cfg.train_dataloader = None
    assert fit_config.fill_num_classes(cfg) == [] and 'num_classes' not in cfg.model.head


@pytest.mark.parametrize('kind', ['IdentitySampler', IdentitySampler])
def test_batch_size_of_a_sampler(kind):
    train = {'batch_size': 8, 'sampler': {'type': kind, 'images_per_id': 2}}
    test = {'batch_size': 4, 'sampler': {'type': 'DefaultSampler'}}
    cfg = Config({'train_dataloader': train, 'test_dataloader': test})
    fit_config.fill_batch_size(cfg)
    assert cfg.train_dataloader.sampler.batch_size == 8
    assert 'batch_size' not in cfg.test_dataloader.sampler
    cfg.train_dataloader.batch_size = 6
    with pytest.raises(ValueError, match='batch_size=8, its data loader batch_size=6'):
        fit_config.fill_batch_size(cfg)


def test_tensorboard(toy_config, tmp_path):
    runner = build_runner(toy_config(epochs=1, tensorboard=True))
    runner.train()
    (events,) = (tmp_path / 'run').rglob('events.out.tfevents.*')
    runner.visualizer.close()
    curves = EventAccumulator(str(events))
    curves.Reload()
    losses = [event.value for event in curves.Scalars('loss')]
    # Other programs of ours read what the local backend goes on writing.
    (scalars,) = (tmp_path / 'run').rglob('scalars.json')
    logged = [json.loads(line)['loss'] for line in scalars.read_text().splitlines()]
    assert len(losses) == 4
    assert losses == pytest.approx(logged, rel=1e-6)


@pytest.fixture
def graphs():
    """Count what was traced."""
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    yield lambda: torch._dynamo.utils.counters['stats']['unique_graphs']
    torch._dynamo.reset()


def test_what_is_compiled():
    teacher = torch.nn.ModuleDict({'backbone': torch.nn.Linear(2, 2)})
    model = torch.nn.ModuleDict({'backbone': torch.nn.Linear(2, 2), 'teacher': teacher})
    assert fit_config.compile_backbones(model, False) == []
    assert model['backbone']._compiled_call_impl is None
    (fact,) = fit_config.compile_backbones(model, TRACED)
    assert fact.endswith(': backbone, teacher.backbone.')


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['pass', 'masked', 'reid'])
def test_compiled_training_stays_the_same(config, graphs, kind, tmp_path):
    with quick_start():
        plain = build_runner(config(kind, 'plain'))
        plain.train()
        assert graphs() == 0
        traced = build_runner(config(kind, 'traced', compile=TRACED))
        traced.train()
    # Augmentation and stochastic depth included; and the teacher and the validation are traced too.
    expected, found = (
        {key: value.data[0] for key, value in run.message_hub.log_scalars.items() if 'loss' in key}
        for run in (plain, traced)
    )
    assert found.keys() == expected.keys() and len(found) >= 3
    for key, values in found.items():
        assert values == pytest.approx(expected[key], abs=1e-5), key
    assert graphs() >= 2 and not torch._dynamo.utils.counters['graph_break']
    for name, value in plain.model.state_dict().items():
        torch.testing.assert_close(traced.model.state_dict()[name], value, atol=1e-4, rtol=1e-3)
    # The switch is kept where other machines read it, and mmengine does not see it.
    (written,) = (tmp_path / 'traced').glob('*.py')
    assert Config.fromfile(written).compile == TRACED and 'compile' not in traced.cfg
    path = tmp_path / 'traced' / 'epoch_1.pth'
    saved = torch.load(path, weights_only=True)['state_dict']
    assert saved.keys() == plain.model.state_dict().keys()


@pytest.mark.slow
@pytest.mark.parametrize('flip', [False, True])
def test_tests_run_compiled(config, graphs, flip):
    figures = []
    for name, switch in (('plain', False), ('traced', TRACED)):
        cfg = config('reid', name, compile=switch)
        prepare_test(cfg, None, flip=flip)
        torch.manual_seed(0)
        with quick_start():
            runner = build_runner(cfg)
            unwrap_model(runner.model).init_weights()
            figures.append(runner.test())
        assert (graphs() > 0) == (name == 'traced')
    assert figures[0] == pytest.approx(figures[1], abs=1e-6)

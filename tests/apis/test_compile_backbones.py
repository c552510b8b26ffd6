import os
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from tiny_runs import pass_config, quick_start, reid_config, write_crops, write_people

from passreid.apis import build_runner, prepare_test
from passreid.apis.compile_backbones import compile_backbones
from passreid.utils.config_options import merge_options
from passreid.utils.unwrap import unwrap_model

ROOT = Path(__file__).parents[2]
# Traces the graphs as for any backend, and runs them without a C++ compiler.
TRACED = dict(backend='eager')
COMPILER = os.environ.get('CXX', 'g++')
needs_compiler = pytest.mark.skipif(
    shutil.which(COMPILER) is None, reason=f'torch.compile needs a C++ compiler ({COMPILER})'
)


@pytest.fixture(scope='module', autouse=True)
def quick():
    with quick_start():
        yield


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp('data')
    write_crops(folder / 'crops')
    write_people(folder / 'people')
    return folder


@pytest.fixture
def config(data, tmp_path):
    def make(kind, name, **changes):
        if kind == 'pass':
            changes = dict(train_cfg__max_epochs=1) | changes
            return pass_config(ROOT, data / 'crops', tmp_path / name, **changes)
        return reid_config(ROOT, data / 'people', tmp_path / name, **changes)

    return make


def losses(runner):
    history = runner.message_hub.log_scalars
    return {key: value.data[0] for key, value in history.items() if 'loss' in key}


def assert_equal_losses(one, other):
    one, other = losses(one), losses(other)
    assert one.keys() == other.keys() and len(one) >= 3
    for key, values in one.items():
        assert values == pytest.approx(other[key], abs=1e-5), key


def graphs():
    stats = torch._dynamo.utils.counters
    return stats['stats']['unique_graphs'], dict(stats['graph_break'])


@pytest.fixture(autouse=True)
def fresh():
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    yield
    torch._dynamo.reset()


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['pass', 'reid'])
def test_training_stays_the_same(config, kind):
    plain = build_runner(config(kind, 'plain'))
    plain.train()
    assert graphs()[0] == 0
    traced = build_runner(config(kind, 'traced', compile=TRACED))
    traced.train()
    # Augmentation and stochastic depth included; and the teacher and the validation are traced too.
    assert_equal_losses(plain, traced)
    count, breaks = graphs()
    assert count >= 2
    assert breaks == {}
    for name, value in plain.model.state_dict().items():
        torch.testing.assert_close(traced.model.state_dict()[name], value, atol=1e-4, rtol=1e-3)


@pytest.mark.slow
def test_checkpoints_are_those_of_other_runs(config, tmp_path):
    whole = build_runner(config('reid', 'whole'))
    whole.train()
    begun = build_runner(config('reid', 'begun', compile=TRACED))
    begun.train()
    path = tmp_path / 'begun' / 'epoch_1.pth'
    saved = torch.load(path, weights_only=True)['state_dict']
    assert saved.keys() == whole.model.state_dict().keys()
    resumed = build_runner(config('reid', 'resumed', resume=True, load_from=str(path)))
    resumed.train()
    last = losses(resumed)['train/loss'][-1]
    assert last == pytest.approx(losses(whole)['train/loss'][-1], abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize('flip', [False, True])
def test_tests_run_compiled(config, tmp_path, flip):
    figures = []
    torch.manual_seed(0)
    model = build_runner(config('reid', 'model', model__head__num_classes=None)).model
    model.init_weights()
    torch.save({'state_dict': model.state_dict()}, tmp_path / 'model.pth')
    for name, changes in (('plain', {}), ('traced', dict(compile=TRACED))):
        cfg = config('reid', name, **changes)
        prepare_test(cfg, tmp_path / 'model.pth', flip=flip)
        runner = build_runner(cfg)
        figures.append(runner.test())
        assert (graphs()[0] > 0) == (name == 'traced')
    assert figures[0] == pytest.approx(figures[1], abs=1e-6)


def test_methods_of_the_model_can_be_called(config):
    runner = build_runner(config('pass', 'run', compile=TRACED))
    model = unwrap_model(runner.model)
    model.update_teacher(0.9)
    assert model.backbone.part_attention(torch.rand(2, 3, 32, 16)).shape == (2, 4, 4, 2)


def test_switch_on_a_command_line(config, tmp_path):
    cfg = config('reid', 'run')
    merge_options(cfg, {'compile.backend': 'eager'})
    runner = build_runner(cfg)
    # mmengine reads the entry from here, and would compile the whole training step.
    assert 'compile' not in runner.cfg
    (written,) = (tmp_path / 'run').glob('*.py')
    assert Config.fromfile(written).compile == TRACED


@pytest.mark.parametrize('value', [None, False])
def test_off(value):
    model = torch.nn.ModuleDict({'backbone': torch.nn.Linear(2, 2)})
    assert compile_backbones(model, Config(dict(compile=value))) == []
    assert model['backbone']._compiled_call_impl is None


def test_names_what_is_compiled():
    teacher = torch.nn.ModuleDict({'backbone': torch.nn.Linear(2, 2)})
    model = torch.nn.ModuleDict({'backbone': torch.nn.Linear(2, 2), 'teacher': teacher})
    (note,) = compile_backbones(model, Config(dict(compile=True)))
    assert note.endswith(': backbone, teacher.backbone.')


def test_wrong_values():
    model = torch.nn.Linear(2, 2)
    with pytest.raises(TypeError, match="True, False or a dict .*, not 'max-autotune'"):
        compile_backbones(model, Config(dict(compile='max-autotune')))
    with pytest.raises(ValueError, match='Linear has no module called backbone'):
        compile_backbones(model, Config(dict(compile=True)))


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize('kind', ['pass', 'reid'])
def test_compiled_training_stays_the_same(config, kind):
    plain = build_runner(config(kind, 'plain', train_cfg__max_epochs=1))
    plain.train()
    compiled = build_runner(config(kind, 'compiled', train_cfg__max_epochs=1, compile=True))
    compiled.train()
    assert_equal_losses(plain, compiled)

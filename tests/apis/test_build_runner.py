import copy

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from toy_models import ToyDataset, ToyModel

from passreid.apis import build_runner, load_config
from passreid.datasets import ResumableSampler
from passreid.engine import WarmupCosineLR
from passreid.registry import HOOKS
from passreid.utils import register_all_modules


class KilledError(Exception):
    pass


@HOOKS.register_module()
class KillHook(Hook):
    """Die while training the epoch ``epoch``."""

    def __init__(self, epoch):
        self.epoch = epoch

    def before_train_epoch(self, runner):
        if runner.epoch == self.epoch:
            raise KilledError


def _weights(runner):
    return {name: value.clone() for name, value in runner.model.state_dict().items()}


def test_config_of_the_caller_and_what_is_written(toy_config, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr('passreid.apis.fit_config.has_accelerator', lambda: False)
    monkeypatch.chdir(tmp_path)
    cfg = toy_config(load_form='b.pth', data_root='x')
    del cfg['work_dir']
    cfg['optim_wrapper']['type'] = 'AmpOptimWrapper'
    (tmp_path / 'toy.py').write_text(''.join(f'{key} = {value!r}\n' for key, value in cfg.items()))
    cfg = Config.fromfile(tmp_path / 'toy.py')
    before = copy.deepcopy(cfg.to_dict())
    runner = build_runner(cfg)
    assert cfg.to_dict() == before
    assert runner.work_dir == str(tmp_path / 'work_dirs' / 'toy')
    assert runner.experiment_name.startswith('toy')
    # That of a machine with an accelerator.
    written = Config.fromfile(tmp_path / 'work_dirs' / 'toy' / 'toy.py')
    assert written.optim_wrapper.type == 'AmpOptimWrapper'
    assert 'pin_memory' not in written.train_dataloader
    warnings = [line for line in capsys.readouterr().out.splitlines() if 'WARNING' in line]
    assert len(warnings) == 2
    assert "'load_form'" in warnings[0] and "'load_from'" in warnings[0] and 'fp32' in warnings[1]


@pytest.mark.parametrize('resume', ['auto', True, False])
def test_first_start_keeps_load_from(toy_config, resume):
    runner = build_runner(
        toy_config(resume=resume, load_from='x.pth' if resume is not True else None)
    )
    assert runner._resume is False
    assert runner._load_from == ('x.pth' if resume is not True else None)


def test_several_runners_share_nothing(toy_config):
    cfg = toy_config(
        visualizer={
            'type': 'Visualizer',
            'name': 'curves',
            'vis_backends': [{'type': 'LocalVisBackend'}],
        }
    )
    first, second = build_runner(cfg), build_runner(cfg)
    for part in ('logger', 'message_hub', 'visualizer', 'default_scope'):
        assert getattr(first, part) is not getattr(second, part)
    assert first.default_scope.scope_name == second.default_scope.scope_name == 'passreid'


def test_learning_rate_follows_the_total_batch(toy_config):
    wrapper = {
        'type': 'OptimWrapper',
        'optimizer': {'type': 'SGD', 'lr': 0.1},
        'accumulative_counts': 2,
    }
    scale = {'enable': True, 'base_batch_size': 16}
    runner = build_runner(toy_config(optim_wrapper=wrapper, auto_scale_lr=scale))
    runner.train()
    # 4 images x 2 accumulated batches are half of the base.
    assert runner.optim_wrapper.param_groups[0]['initial_lr'] == pytest.approx(0.05)


@pytest.mark.parametrize('start', [build_runner, Runner.from_cfg])
def test_resumed_run_equals_the_uninterrupted_one(toy_config, tmp_path, start, capsys):
    # mmengine's own checkpoints, with pickled HistoryBuffers, can be resumed too.
    register_all_modules()
    whole = build_runner(toy_config() | {'work_dir': str(tmp_path / 'whole')})
    whole.train()
    with pytest.raises(KilledError):
        start(Config(toy_config(custom_hooks=[{'type': 'KillHook', 'epoch': 1}]))).train()
    resumed = build_runner(toy_config(resume='auto'))
    resumed.train()
    assert 'resumed epoch: 1, iter: 4' in capsys.readouterr().out
    expected = _weights(whole)
    for name, value in _weights(resumed).items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=0)
    histories = [run.message_hub.get_scalar('train/loss').data for run in (whole, resumed)]
    assert histories[0][0].tolist() == histories[1][0].tolist()
    assert len(histories[0][0]) == 8


def test_the_hooks_of_a_run_are_those_of_its_config(toy_config):
    cfg = toy_config()
    expected = [hook['type'] for hook in cfg['default_hooks'].values() if hook]
    hooks = [type(hook).__name__ for hook in build_runner(cfg).hooks]
    assert sorted(hooks) == sorted(expected)


@pytest.mark.parametrize('scope', [None, 'absent', 'mmpretrain'])
def test_classes_as_types(toy_config, tmp_path, scope):
    cfg = toy_config(
        model={'type': ToyModel},
        optim_wrapper={'type': OptimWrapper, 'optimizer': {'type': torch.optim.AdamW, 'lr': 0.05}},
        param_scheduler=[{'type': WarmupCosineLR, 'T_max': 2, 'warmup': 1}],
        default_scope=scope,
    )
    cfg['train_dataloader'] |= {
        'dataset': {'type': ToyDataset},
        'collate_fn': {'type': default_collate},
        'sampler': {'type': ResumableSampler},
    }
    if scope == 'absent':
        del cfg['default_scope']
    elif scope == 'mmpretrain':
        cfg['default_hooks'] = {}
    runner = build_runner(cfg)
    runner.train()
    assert isinstance(runner.model, ToyModel)
    # What was written reads back and builds the same.
    (path,) = (tmp_path / 'run').glob('*.py')
    written = build_runner(path)
    written.train()
    for name, value in _weights(written).items():
        assert torch.equal(value, _weights(runner)[name])


def test_class_that_cannot_be_imported_by_name(toy_config):
    with pytest.raises(FileNotFoundError, match='configs/none.py'):
        load_config('configs/none.py')

    class Local(ToyModel):
        pass

    assert load_config(toy_config(model={'type': Local})).model.type is Local


def test_activation_checkpointing_is_refused(toy_config):
    with pytest.raises(ValueError, match='with_cp'):
        build_runner(toy_config(activation_checkpointing=['layer']))

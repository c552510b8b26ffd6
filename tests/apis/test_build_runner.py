import copy

import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from processes import assert_equal
from tiny_runs import Kill, KilledError

from passreid.apis import build_runner
from passreid.utils import register_all_modules


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
    del cfg['default_scope']
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
    killed = start(Config(toy_config()))
    killed.register_hook(Kill(5))
    with pytest.raises(KilledError):
        killed.train()
    resumed = build_runner(toy_config(resume='auto'))
    resumed.train()
    assert 'resumed epoch: 1, iter: 4' in capsys.readouterr().out
    assert_equal(resumed.model.state_dict(), whole.model.state_dict())
    histories = [run.message_hub.get_scalar('train/loss').data for run in (whole, resumed)]
    assert histories[0][0].tolist() == histories[1][0].tolist()
    assert len(histories[0][0]) == 8


def test_the_hooks_of_a_run_are_those_of_its_config(toy_config):
    cfg = toy_config()
    expected = [hook['type'] for hook in cfg['default_hooks'].values() if hook]
    hooks = [type(hook).__name__ for hook in build_runner(cfg).hooks]
    assert sorted(hooks) == sorted(expected)


def test_activation_checkpointing_is_refused(toy_config):
    with pytest.raises(ValueError, match='with_cp'):
        build_runner(toy_config(activation_checkpointing=['layer']))

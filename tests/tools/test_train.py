import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
CONFIG = """
_base_ = {base!r}
custom_imports = dict(imports=['toy_models'], allow_failed_imports=False)
model = dict(type='ToyModel')
train_dataloader = dict(
    dataset=dict(type='ToyDataset'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    batch_size=4,
    num_workers=1,
    persistent_workers=True,
    pin_memory=True,
)
train_cfg = dict(by_epoch=True, max_epochs=2)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.05))
param_scheduler = [dict(type='CosineAnnealingLR', T_max=2, end=2, by_epoch=True)]
"""
NO_WORKERS = ['--cfg-options', 'train_dataloader.num_workers=0']


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A config file in an otherwise empty working directory."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / 'toy.py'
    path.write_text(CONFIG.format(base=str(ROOT / 'configs' / '_base_' / 'default_runtime.py')))
    return str(path)


@pytest.fixture
def train(monkeypatch):
    """Call the program in this process."""
    spec = importlib.util.spec_from_file_location('train', ROOT / 'tools' / 'train.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def call(*arguments):
        monkeypatch.setattr(sys, 'argv', ['train.py', *arguments])
        module.main()

    return call


def _run(*command):
    environment = os.environ | {
        'CUDA_VISIBLE_DEVICES': '',
        'PYTHONPATH': str(ROOT / 'tests'),
        'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}',
    }
    environment.pop('OMP_NUM_THREADS', None)
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def _weights(path):
    return torch.load(path, weights_only=True)['state_dict']


def _assert_equal(first, second):
    for name, value in _weights(first).items():
        torch.testing.assert_close(_weights(second)[name], value, rtol=0, atol=0)


def test_run_ends_with_its_folder(config, train, tmp_path, capsys):
    train(config, *NO_WORKERS)
    folder = tmp_path / 'work_dirs' / 'toy'
    assert f'Finished. Logs and checkpoints are in {folder}' in capsys.readouterr().out
    assert (folder / 'epoch_2.pth').is_file()


@pytest.mark.parametrize('choice', [['--resume'], ['--resume', 'auto'], ['--resume', 'PATH']])
def test_resumed_run_equals_the_uninterrupted_one(config, train, tmp_path, choice):
    train(config, '--work-dir', 'whole', *NO_WORKERS)
    # The config states where the schedule ends, so it is the same for one epoch.
    train(config, '--work-dir', 'parts', *NO_WORKERS, 'train_cfg.max_epochs=1')
    choice = [str(tmp_path / 'parts' / 'epoch_1.pth') if c == 'PATH' else c for c in choice]
    train(config, '--work-dir', 'parts', *choice, *NO_WORKERS)
    _assert_equal('whole/epoch_2.pth', 'parts/epoch_2.pth')


def test_auto_resume_of_nothing_is_a_fresh_start(config, train, capsys):
    train(config, '--resume', 'auto', *NO_WORKERS, 'train_cfg.max_epochs=1')
    assert 'Nothing to resume in work_dirs/toy: starting afresh' in capsys.readouterr().out


def test_missing_checkpoint_is_named(config, train):
    with pytest.raises(FileNotFoundError, match=r'--resume: there is no checkpoint none\.pth'):
        train(config, '--resume', 'none.pth')


def test_missing_config_is_named(train):
    with pytest.raises(FileNotFoundError, match=r'no config file none\.py'):
        train('none.py')


def test_misspelt_option_is_named(config, train):
    with pytest.raises(ValueError, match="no entry 'train_cgf'.*did you mean 'train_cfg'"):
        train(config, '--cfg-options', 'train_cgf.max_epochs=1')


def test_mixed_precision_falls_back_with_one_warning(config, train, capsys, monkeypatch):
    monkeypatch.setattr('passreid.apis.fit_config.has_accelerator', lambda: False)
    train(config, '--amp', *NO_WORKERS, 'train_cfg.max_epochs=1')
    warnings = [line for line in capsys.readouterr().out.splitlines() if 'WARNING' in line]
    assert len(warnings) == 1
    assert 'training in fp32 instead of mixed precision' in warnings[0]


@pytest.mark.slow
def test_nothing_needless_is_printed(config):
    done = _run(sys.executable, str(ROOT / 'tools' / 'train.py'), config)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ''
    assert 'warn' not in done.stdout.lower()
    assert 'Epoch(train) [2][4/4]' in done.stdout


@pytest.mark.slow
def test_failure_has_a_status(config):
    done = _run(sys.executable, str(ROOT / 'tools' / 'train.py'), config, '--resume', 'none.pth')
    assert done.returncode == 1
    assert 'there is no checkpoint none.pth' in done.stderr


@pytest.mark.slow
def test_processes_share_the_batches_and_end_in_order(config, monkeypatch):
    script = str(ROOT / 'tools' / 'dist_train.sh')
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        monkeypatch.setenv('PORT', str(probe.getsockname()[1]))
    done = _run('bash', script, config, '2', '--work-dir', 'shared')
    assert done.returncode == 0, done.stderr
    assert 'warn' not in (done.stdout + done.stderr).lower()
    # 16 samples: 2 processes x 4 samples x 2 iterations.
    assert 'Epoch(train) [2][2/2]' in done.stdout
    resume = ['--work-dir', 'parts', '--resume', 'shared/epoch_1.pth', *NO_WORKERS]
    done = _run('bash', script, config, '2', *resume)
    assert done.returncode == 0, done.stderr
    _assert_equal('shared/epoch_2.pth', 'parts/epoch_2.pth')


@pytest.mark.parametrize('script', ['dist_train.sh', 'slurm_train.sh'])
def test_scripts_explain_themselves(script):
    done = _run('bash', str(ROOT / 'tools' / script))
    assert done.returncode == 2
    assert f'tools/{script}' in done.stderr


def test_slurm_script_passes_everything_on(tmp_path, monkeypatch):
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    srun.chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path), prepend=':')
    monkeypatch.setenv('GPUS', '16')
    monkeypatch.setenv('SRUN_ARGS', '--time=1:00 --qos=low')
    script = str(ROOT / 'tools' / 'slurm_train.sh')
    done = _run('bash', script, 'gpu', 'my job', 'a.py', 'work', '--cfg-options', 'x=1 2')
    words = done.stdout.splitlines()
    assert words[:5] == [
        '--partition=gpu',
        '--job-name=my job',
        '--gres=gpu:8',
        '--ntasks=16',
        '--ntasks-per-node=8',
    ]
    assert '--time=1:00' in words
    assert '--qos=low' in words
    options = ['--work-dir', 'work', '--launcher', 'slurm', '--cfg-options', 'x=1 2']
    assert words[-len(options) :] == options

import socket
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
# The program of a scheduler, which prints its arguments.
SRUN = '#!/bin/sh\nprintf "%s\\n" "$@"\n'


@pytest.fixture
def train(run):
    """Train a toy in an otherwise empty folder."""
    base = str(ROOT / 'configs' / '_base_' / 'default_runtime.py')
    Path('toy.py').write_text(CONFIG.format(base=base))
    return lambda *arguments: run('train', 'toy.py', *arguments)


def assert_equal(first, second):
    first, second = (torch.load(path, weights_only=True)['state_dict'] for path in (first, second))
    assert all(torch.equal(second[name], value) for name, value in first.items())


def test_resumed_run_equals_the_uninterrupted_one(train):
    printed = train('--work-dir', 'whole', *NO_WORKERS)
    assert f'Finished. Logs and checkpoints are in {Path("whole").resolve()}' in printed
    # The config states where the schedule ends, so it is the same for one epoch.
    printed = train('--resume', 'auto', *NO_WORKERS, 'train_cfg.max_epochs=1')
    assert 'Nothing to resume in work_dirs/toy: starting afresh' in printed
    for choice in (['--resume'], ['--resume', 'auto'], ['--resume', 'work_dirs/toy/epoch_1.pth']):
        Path('work_dirs/toy/epoch_2.pth').unlink(missing_ok=True)
        Path('work_dirs/toy/last_checkpoint').write_text('work_dirs/toy/epoch_1.pth')
        train(*choice, *NO_WORKERS)
        assert_equal('whole/epoch_2.pth', 'work_dirs/toy/epoch_2.pth')


def test_what_is_wrong_is_named(train, run):
    with pytest.raises(FileNotFoundError, match=r'--resume.*none\.pth'):
        train('--resume', 'none.pth')
    with pytest.raises(FileNotFoundError, match=r'none\.py'):
        run('train', 'none.py')
    with pytest.raises(ValueError, match="'train_cgf'; did you mean 'train_cfg'"):
        train('--cfg-options', 'train_cgf.max_epochs=1')


@pytest.mark.skipif(torch.cuda.is_available(), reason='a GPU has mixed precision')
def test_mixed_precision_falls_back_with_one_warning(train):
    printed = train('--amp', *NO_WORKERS, 'train_cfg.max_epochs=1')
    warnings = [line for line in printed.splitlines() if 'WARNING' in line]
    assert len(warnings) == 1 and 'fp32' in warnings[0]


@pytest.mark.slow
def test_processes_share_the_batches_and_end_in_order(train, start, monkeypatch):
    script = ROOT / 'tools' / 'dist_train.sh'
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        monkeypatch.setenv('PORT', str(probe.getsockname()[1]))
    done = start('bash', script, 'toy.py', 2, '--work-dir', 'shared')
    assert done.returncode == 0, done.stderr
    # Nothing needless is printed.
    assert 'warn' not in (done.stdout + done.stderr).lower()
    # 16 samples: 2 processes x 4 samples x 2 iterations.
    assert 'Epoch(train) [2][2/2]' in done.stdout
    shared = torch.load('shared/epoch_2.pth', weights_only=True)
    assert shared['meta']['iter'] == 4


@pytest.mark.parametrize('name', ['dist_train', 'slurm_test'])
def test_scripts_explain_themselves(start, name):
    done = start('bash', ROOT / 'tools' / f'{name}.sh')
    assert done.returncode == 2
    assert f'tools/{name}.sh' in done.stderr


@pytest.mark.parametrize(
    ('name', 'arguments', 'passed'),
    [
        ('train', ['a.py', 'work'], ['a.py', '--work-dir', 'work']),
        ('test', ['a.py', 'b.pth'], ['a.py', 'b.pth']),
    ],
)
def test_slurm_scripts_pass_everything_on(start, tmp_path, monkeypatch, name, arguments, passed):
    (tmp_path / 'srun').write_text(SRUN)
    (tmp_path / 'srun').chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path), prepend=':')
    monkeypatch.setenv('GPUS', '16')
    monkeypatch.setenv('SRUN_ARGS', '--time=1:00 --qos=low')
    options = ['--cfg-options', 'x=1 2']
    script = ROOT / 'tools' / f'slurm_{name}.sh'
    words = start('bash', script, 'gpu', 'my job', *arguments, *options).stdout.splitlines()
    expected = ['--partition=gpu', '--job-name=my job', '--gres=gpu:8', '--ntasks=16']
    assert words[:5] == [*expected, '--ntasks-per-node=8']
    assert {'--time=1:00', '--qos=low'} <= set(words)
    passed = [*passed, '--launcher', 'slurm', *options]
    assert words[-len(passed) :] == passed
    assert words[-len(passed) - 1].endswith(f'tools/{name}.py')

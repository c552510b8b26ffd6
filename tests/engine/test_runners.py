"""What keeps a run from being resumed, and what its config has changed, is said."""

import re
from unittest import mock

import pytest
import torch

from passreid.apis import build_runner


@pytest.fixture
def toy(toy_config, tmp_path):
    """Configs of a run by epochs of 4 iterations; by the name of their folder."""

    def make(name, **changes):
        cfg = toy_config(train_cfg={'type': 'ResumableEpochLoop', 'max_epochs': 2})
        cfg['train_dataloader']['sampler'] = {'type': 'ResumableSampler'}
        return cfg | {'work_dir': str(tmp_path / name)} | changes

    return make


@pytest.fixture
def checkpoint(toy, tmp_path):
    """The checkpoint of a first epoch; parts may be changed, or left out where they are None."""
    build_runner(toy('first')).train()

    def change(**parts):
        path = tmp_path / 'changed.pth'
        content = torch.load(tmp_path / 'first' / 'epoch_1.pth', weights_only=True) | parts
        torch.save({key: part for key, part in content.items() if part is not None}, path)
        return path

    return change


def refusal(cfg, path):
    """Return what a run says that cannot be resumed from a file."""
    runner = build_runner(cfg | {'resume': True, 'load_from': str(path)})
    with pytest.raises(ValueError) as caught:
        runner.train()
    assert f'{path} cannot be resumed' in str(caught.value)
    assert f"load_from='{path}'" in str(caught.value)
    return str(caught.value)


def resumed(cfg, path):
    """Resume a run; return it and its warnings of the config."""
    runner = build_runner(cfg | {'resume': True, 'load_from': str(path)})
    with mock.patch.object(runner.logger, 'warning') as warning:
        runner.train()
    texts = [call.args[0] for call in warning.call_args_list]
    return runner, [text for text in texts if 'config' in text]


def adam(rate, decay=0.01, **others):
    optimizer = {'type': 'AdamW', 'lr': rate, 'weight_decay': decay}
    return {'type': 'OptimWrapper', 'optimizer': optimizer} | others


WEIGHTS = {'linear.weight': torch.ones(5, 4)}


@pytest.mark.parametrize(
    ('parts', 'named'),
    [
        *(({part: None}, part) for part in ('meta', 'state_dict', 'message_hub', 'optimizer')),
        ({'state_dict': None, 'optimizer': None} | WEIGHTS, 'optimizer'),
        ({'state_dict': WEIGHTS | {'norm.weight': torch.ones(3)}}, 'norm.running_mean'),
    ],
)
def test_checkpoint_that_cannot_be_resumed(toy, checkpoint, parts, named):
    assert re.search(named, refusal(toy('second'), checkpoint(**parts)))


def test_run_that_cannot_be_resumed(toy, checkpoint):
    """With another optimizer, other groups of parameters, or other epochs."""
    sgd = {'type': 'OptimWrapper', 'optimizer': {'type': 'SGD', 'lr': 0.05}}
    assert 'momentum' in refusal(toy('second', optim_wrapper=sgd), checkpoint())
    file = checkpoint(optimizer=torch.optim.SGD([torch.ones(1)], 0.1).state_dict())
    assert 'cannot be resumed' in refusal(toy('second'), file)
    two = adam(0.05, paramwise_cfg={'norm_decay_mult': 0.0})
    assert 'parameter groups' in refusal(toy('second', optim_wrapper=two), checkpoint())
    cfg = toy('third')
    cfg['train_dataloader']['batch_size'] = 8
    assert re.search('4 iterations, those of the config 2.*batch_size', refusal(cfg, checkpoint()))


COSINE = {'type': 'CosineAnnealingLR', 'T_max': 2, 'by_epoch': True}


@pytest.mark.parametrize(
    'schedule',
    [COSINE, {'type': 'WarmupCosineLR', 'T_max': 8, 'by_epoch': False}, None],
)
def test_same_config_is_resumed_without_a_word(toy, tmp_path, schedule):
    schedules = schedule and [schedule]
    build_runner(toy('first', param_scheduler=schedules)).train()
    path = tmp_path / 'first' / 'epoch_1.pth'
    runner, warnings = resumed(toy('second', param_scheduler=schedules), path)
    assert (runner.iter, warnings) == (8, [])


def test_what_the_config_has_changed_is_shown(toy, checkpoint):
    """Optimizer and schedules keep the values of the checkpoint."""
    schedule = [COSINE | {'T_max': 3}]
    cfg = toy('second', optim_wrapper=adam(0.02, 0.3), param_scheduler=schedule)
    cfg['train_cfg']['max_epochs'] = 3
    runner, (warning,) = resumed(cfg, checkpoint())
    for sign, entry in (
        ('-', 'lr=0.05'),
        ('+', 'lr=0.02'),
        ('+', 'weight_decay=0.3'),
        ('-', 'T_max=2'),
        ('+', 'T_max=3'),
        ('+', 'max_epochs=3'),
    ):
        assert any(x.startswith(sign) and entry in x for x in warning.splitlines()), entry
    assert 'work_dir' not in warning
    assert runner.iter == 12
    group = runner.optim_wrapper.optimizer.param_groups[0]
    assert (group['initial_lr'], group['weight_decay']) == (0.05, 0.01)
    assert runner.param_schedulers[0].T_max == 2


def test_config_inside_a_checkpoint_is_not_run(toy, checkpoint, tmp_path):
    marker = tmp_path / 'run'
    program = f'x = open({str(marker)!r}, "w").close()'
    meta = {'epoch': 1, 'iter': 4, 'config': program, 'cfg': program}
    runner, _ = resumed(toy('second'), checkpoint(meta=meta))
    assert runner.iter == 8
    assert not marker.exists()


def test_checkpoint_of_a_run_loads_in_any_program_and_is_resumed(toy_config, tmp_path):
    """The milestones are a Counter, which is not made from pairs of key and value as a dict is."""
    steps = [{'type': 'MultiStepLR', 'milestones': [1, 2], 'by_epoch': True}]
    cfg = toy_config(epochs=3, param_scheduler=steps)
    build_runner(cfg).train()
    path = tmp_path / 'run' / 'epoch_1.pth'
    parts = {'meta', 'state_dict', 'message_hub', 'optimizer', 'param_schedulers'}
    assert set(torch.load(path, weights_only=True)) == parts
    resumed = build_runner(cfg | {'resume': True, 'load_from': str(path)})
    resumed.train()
    assert resumed.param_schedulers[0].milestones == {1: 1, 2: 1}
    assert resumed.optim_wrapper.get_lr()['lr'] == [pytest.approx(0.0005)]

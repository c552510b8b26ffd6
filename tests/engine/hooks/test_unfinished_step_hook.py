from types import SimpleNamespace

import pytest
import torch
from killed_run import Kill, KilledError
from mmengine.logging import MMLogger
from reid_run import quick_start

from passreid.apis import build_runner
from passreid.engine.hooks import UnfinishedStepHook, unfinished_step_hook


@pytest.fixture(scope='module', autouse=True)
def quick():
    with quick_start():
        yield


def config(toy_config, tmp_path, name):
    cfg = toy_config(
        optim_wrapper={
            'type': 'OptimWrapper',
            'accumulative_counts': 3,
            'optimizer': {'type': 'AdamW', 'lr': 0.05},
        },
        train_cfg={'type': 'ResumableEpochLoop', 'max_epochs': 2},
        resume='auto',
    )
    cfg['work_dir'] = str(tmp_path / name)
    cfg['train_dataloader']['sampler'] = {'type': 'ResumableSampler'}
    cfg['default_hooks']['checkpoint'] = {'type': 'CheckpointHook', 'by_epoch': False}
    cfg['default_hooks']['checkpoint']['interval'] = 1
    return cfg


def train(cfg, kill_at=None):
    runner = build_runner(cfg)
    if kill_at is not None:
        runner.register_hook(Kill(kill_at))
    runner.train()
    return runner


@pytest.mark.parametrize(
    'kill_at', [2] + [pytest.param(number, marks=pytest.mark.slow) for number in (1, 3, 4, 5, 7)]
)
def test_resumed_in_the_middle_of_a_step(toy_config, tmp_path, kill_at, capsys):
    whole = train(config(toy_config, tmp_path, 'whole'))
    cfg = config(toy_config, tmp_path, 'killed')
    with pytest.raises(KilledError):
        train(cfg, kill_at)
    resumed = train(cfg)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value), name
    noted = 'goes on in the middle of a step' in capsys.readouterr().out
    assert noted == (kill_at != 3)
    files = [
        torch.load(tmp_path / 'killed' / f'iter_{number}.pth', weights_only=True)
        for number in range(1, 9)
    ]
    held = [number for number, file in enumerate(files, 1) if 'unfinished_step' in file]
    # 8 iterations are two steps of 3 and one of 2.
    assert held == [1, 2, 4, 5, 7]


def test_mean_of_the_processes_is_saved(monkeypatch):
    model = torch.nn.Sequential(torch.nn.Linear(2, 1))
    model[0].weight.grad = torch.tensor([[1.0, 2.0]])
    model[0].register_buffer('count', torch.tensor(4.0), persistent=False)
    model[0].step_sums = ('count',)
    runner = SimpleNamespace(
        model=model,
        optim_wrapper=SimpleNamespace(should_update=lambda: False),
        logger=MMLogger.get_current_instance(),
    )

    def with_another(value, operation):
        assert operation == 'mean'
        value.add_(3).div_(2)

    monkeypatch.setattr(unfinished_step_hook, 'all_reduce', with_another)
    hook, checkpoint = UnfinishedStepHook(), {'optimizer': {}}
    hook.before_save_checkpoint_in_all(runner)
    hook.before_save_checkpoint(runner, checkpoint)
    # The bias has none.
    means = {name: value.tolist() for name, value in checkpoint['unfinished_step'].items()}
    assert means == {'0.weight': [[2.0, 2.5]], '0.count': 3.5}
    assert model[0].weight.grad.tolist() == [[1.0, 2.0]]
    assert model[0].count == 4
    runner._resume, model[0].weight.grad = True, None
    hook.after_load_checkpoint(runner, checkpoint)
    hook.before_train(runner)
    assert model[0].weight.grad.tolist() == [[2.0, 2.5]]
    assert model[0].count == 3.5


def test_best_checkpoint_holds_none():
    hook, checkpoint = UnfinishedStepHook(), {'state_dict': {}}
    hook._sums = {'weight': torch.ones(1)}
    hook.before_save_checkpoint(None, checkpoint)
    assert list(checkpoint) == ['state_dict']

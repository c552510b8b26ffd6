"""What keeps a run from being resumed, and what its config has changed, is said beforehand."""

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper, OptimWrapperDict
from tiny_runs import quick_start

from passreid.apis import build_runner
from passreid.registry import METRICS, MODELS, OPTIM_WRAPPER_CONSTRUCTORS


@pytest.fixture(scope='module', autouse=True)
def quick():
    with quick_start():
        yield


@METRICS.register_module()
class OneFigure(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.append(1.0)

    def compute_metrics(self, results):
        return {'acc': 1.0}


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


def validated(cfg):
    sampler = {'type': 'DefaultSampler', 'shuffle': False}
    return cfg | {
        'val_cfg': {},
        'val_evaluator': {'type': 'OneFigure'},
        'val_dataloader': cfg['train_dataloader'] | {'sampler': sampler},
    }


def refusal(cfg, path):
    """Return what a run says that cannot be resumed from a file; it is as it was."""
    runner = build_runner(cfg | {'resume': True, 'load_from': str(path)})
    with pytest.raises(ValueError) as caught:
        runner.train()
    message = str(caught.value)
    assert runner.iter == 0
    saved = torch.load(path, weights_only=True).get('state_dict', {})
    linear = saved.get('linear.weight')
    assert linear is None or not torch.equal(runner.model.linear.weight, linear)
    assert str(path) in message
    assert 'load_from=' in message
    assert 'resume=False' in message
    return message


def resumed(cfg, path):
    """Resume a run; return it and the warnings that name the file."""
    runner = build_runner(cfg | {'resume': True, 'load_from': str(path)})
    warnings = []
    runner.logger.addFilter(
        lambda record: (
            warnings.append(record.getMessage()) or True
            if record.levelname == 'WARNING' and str(path) in record.getMessage()
            else True
        )
    )
    runner.train()
    return runner, warnings


@pytest.mark.parametrize('part', ['meta', 'state_dict', 'message_hub', 'optimizer'])
def test_part_that_is_missing(toy, checkpoint, part):
    assert part in refusal(toy('second'), checkpoint(**{part: None}))


@pytest.mark.parametrize('meta', [{'epoch': 1}, {'iter': 4}, [1, 4]])
def test_place_that_is_missing(toy, checkpoint, meta):
    assert 'meta' in refusal(toy('second'), checkpoint(meta=meta))


def test_schedules_are_wanted_where_the_run_has_some(toy, checkpoint):
    path = checkpoint(param_schedulers=None)
    assert 'param_schedulers' in refusal(toy('second'), path)
    runner, warnings = resumed(toy('third', param_scheduler=None), path)
    assert (runner.iter, warnings) == (8, [])
    _, (warning,) = resumed(toy('fourth', param_scheduler=[]), checkpoint())
    assert 'param_scheduler' in warning


def test_best_checkpoint_holds_weights_alone(toy, tmp_path):
    cfg = validated(toy('first'))
    hook = {'type': 'SafeCheckpointHook', 'interval': 1, 'save_best': 'acc', 'rule': 'greater'}
    cfg['default_hooks']['checkpoint'] = hook
    build_runner(cfg).train()
    message = refusal(toy('second'), tmp_path / 'first' / 'best_acc_epoch_1.pth')
    assert 'optimizer' in message and 'param_schedulers' in message


def test_bare_weights_and_what_is_no_checkpoint(toy, tmp_path):
    torch.save({'linear.weight': torch.ones(3, 4)}, tmp_path / 'bare.pth')
    assert 'state_dict' in refusal(toy('second'), tmp_path / 'bare.pth')


def test_weights_of_another_model(toy, checkpoint):
    weights = checkpoint_weights(checkpoint)
    weights['linear.weight'] = torch.ones(5, 4)
    del weights['norm.running_mean']
    message = refusal(toy('second'), checkpoint(state_dict=weights))
    assert 'linear.weight' in message and '(5, 4)' in message and '(3, 4)' in message
    assert 'norm.running_mean' in message


def checkpoint_weights(checkpoint):
    return torch.load(checkpoint(), weights_only=True)['state_dict']


@pytest.mark.parametrize('type_', ['SGD', 'RAdam'])
def test_another_optimizer(toy, checkpoint, type_):
    wrapper = {'type': 'OptimWrapper', 'optimizer': {'type': type_, 'lr': 0.05}}
    message = refusal(toy('second', optim_wrapper=wrapper), checkpoint())
    assert f'{type_} with' in message and 'amsgrad' in message


def test_other_groups_of_parameters(toy, checkpoint):
    wrapper = {
        'type': 'OptimWrapper',
        'optimizer': {'type': 'AdamW', 'lr': 0.05, 'weight_decay': 0.01},
        'paramwise_cfg': {'norm_decay_mult': 0.0},
    }
    message = refusal(toy('second', optim_wrapper=wrapper), checkpoint())
    assert 'groups: 1 in the checkpoint, 4' in message


@pytest.mark.parametrize(
    'schedules',
    [
        [{'type': 'StepLR', 'step_size': 1, 'by_epoch': True}],
        [
            {'type': 'CosineAnnealingLR', 'T_max': 2, 'by_epoch': True},
            {'type': 'ConstantLR', 'by_epoch': True},
        ],
    ],
)
def test_other_schedules(toy, checkpoint, schedules):
    message = refusal(toy('second', param_scheduler=schedules), checkpoint())
    assert 'StepLR' in message or 'schedules: 1 in the checkpoint, 2' in message


@pytest.mark.parametrize(
    'schedule',
    [
        {'type': 'CosineAnnealingLR', 'T_max': 2},
        {'type': 'MultiStepLR', 'milestones': [1]},
        {'type': 'WarmupCosineLR', 'T_max': 8, 'by_epoch': False},
        {'type': 'ReduceOnPlateauLR', 'monitor': 'acc', 'rule': 'greater'},
    ],
)
def test_same_config_is_resumed_without_a_word(toy, tmp_path, schedule):
    first, second = (
        validated(toy(name, param_scheduler=[{'by_epoch': True} | schedule]))
        for name in ('first', 'second')
    )
    build_runner(first).train()
    assert resumed(second, tmp_path / 'first' / 'epoch_2.pth')[1] == []


def test_other_settings_are_said_at_once(toy, checkpoint):
    """The values of the checkpoint hold."""
    optimizer = {'type': 'AdamW', 'lr': 0.02, 'weight_decay': 0.3}
    cfg = toy(
        'second',
        optim_wrapper={'type': 'OptimWrapper', 'optimizer': optimizer},
        param_scheduler=[{'type': 'CosineAnnealingLR', 'T_max': 3, 'by_epoch': True}],
    )
    cfg['train_cfg']['max_epochs'] = 3
    runner, (warning,) = resumed(cfg, checkpoint())
    for name, saved, own in (
        ('lr', 0.05, 0.02),
        ('weight_decay', 0.01, 0.3),
        ('CosineAnnealingLR.T_max', 2, 3),
    ):
        assert f'{name}: {saved} in the checkpoint, {own} ' in warning
    assert 'max_iters: 8 in the checkpoint, 12' in warning
    assert 'load_from=' in warning
    group = runner.optim_wrapper.optimizer.param_groups[0]
    assert (group['initial_lr'], group['weight_decay']) == (0.05, 0.01)
    assert runner.param_schedulers[0].T_max == 2


def test_each_difference_is_said_once(toy, tmp_path):
    """Groups of one parameter each make none."""
    wrapper = {
        'type': 'OptimWrapper',
        'optimizer': {'type': 'AdamW', 'lr': 0.05, 'weight_decay': 0.01},
        'paramwise_cfg': {'norm_decay_mult': 0.0},
    }
    build_runner(toy('first', optim_wrapper=wrapper)).train()
    wrapper['optimizer']['lr'] = 0.04
    _, (warning,) = resumed(toy('second', optim_wrapper=wrapper), tmp_path / 'first/epoch_1.pth')
    assert warning.count('0.04') == 1


@MODELS.register_module()
class TwoLayers(BaseModel):
    """With an optimiser for each of its layers."""

    def __init__(self):
        super().__init__()
        self.first, self.linear = torch.nn.Linear(4, 4), torch.nn.Linear(4, 3)

    def forward(self, inputs, target):
        return (self.linear(self.first(inputs)) - target).square().mean()

    def train_step(self, data, optim_wrapper):
        loss = self(**data)
        loss.backward()
        for wrapper in optim_wrapper.values():
            wrapper.step()
            wrapper.zero_grad()
        return {'loss': loss.detach()}


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class OneForEachLayer:
    def __init__(self, optim_wrapper_cfg, paramwise_cfg=None):
        self.rates = optim_wrapper_cfg['rates']

    def __call__(self, model):
        return OptimWrapperDict(
            **{
                name: OptimWrapper(torch.optim.Adam(getattr(model, name).parameters(), rate))
                for name, rate in self.rates.items()
            }
        )


def test_several_optimizers(toy, tmp_path):
    def config(name, **rates):
        schedule = {'type': 'CosineAnnealingLR', 'T_max': 2, 'by_epoch': True}
        return toy(
            name,
            model={'type': 'TwoLayers'},
            optim_wrapper={'constructor': 'OneForEachLayer', 'rates': rates},
            param_scheduler={name: [schedule] for name in rates},
        )

    whole = build_runner(config('first', first=0.1, linear=0.01))
    whole.train()
    path = tmp_path / 'first' / 'epoch_1.pth'
    runner, warnings = resumed(config('second', first=0.1, linear=0.01), path)
    assert warnings == []
    for name, value in whole.model.state_dict().items():
        assert torch.equal(runner.model.state_dict()[name], value), name
    _, (warning,) = resumed(config('third', first=0.1, linear=0.02), path)
    assert 'linear.Adam.lr: 0.01 in the checkpoint, 0.02' in warning
    assert 'first' in refusal(config('fourth', linear=0.01), path)


def test_config_inside_a_checkpoint_is_not_run(toy, checkpoint, tmp_path):
    marker = tmp_path / 'run'
    meta = {'epoch': 1, 'iter': 4, 'config': f'x = open({str(marker)!r}, "w").close()'}
    runner, _ = resumed(toy('second'), checkpoint(meta=meta))
    assert runner.iter == 8
    assert not marker.exists()

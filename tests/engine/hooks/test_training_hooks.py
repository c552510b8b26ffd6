from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook, LoggerHook
from mmengine.logging import MessageHub
from tiny_runs import SeenImages, pass_config, without_randomness, write_crops
from torch.utils.data import ConcatDataset, DataLoader

from passreid.apis import build_runner
from passreid.engine import RandomStateHook, TrainingInfoHook

ROOT = Path(__file__).parents[3]


class At(Hook):
    """Do something to the model before an iteration."""

    def __init__(self, iteration, action):
        self.iteration, self.action = iteration, action

    def before_train_iter(self, runner, *args, **kwargs):
        if runner.iter == self.iteration:
            self.action(runner.model)


@pytest.fixture
def run(tmp_path):
    """Train until the second batch is found to be bad; return the runner and the message."""
    crops = write_crops(tmp_path / 'crops', count=16)

    def start(action, stop=2, **hook):
        cfg = without_randomness(pass_config(ROOT, crops, tmp_path / 'run'))
        cfg.custom_hooks[0].update(hook)
        runner = build_runner(cfg)
        runner.register_hook(At(1, action))
        seen = SeenImages()
        runner.register_hook(seen)
        with pytest.raises(FloatingPointError) as caught:
            runner.train()
        assert len(seen.batches) == stop
        message = str(caught.value)
        assert 'iteration 2 in ' in message
        for number, batch in enumerate(seen.batches, start=1):
            assert all((name in message) == (number == 2) for name in batch)
        return runner, message

    return start


@pytest.mark.parametrize(('interval', 'stop'), [(3, 3), (50, 4)])
def test_iterations_that_are_looked_at_together_are_told_apart(run, tmp_path, interval, stop):
    """As on a GPU, where each look is a wait; and before a checkpoint."""

    def spoil(model):
        handle = model.backbone.layers[0].ln2.register_forward_hook(
            lambda module, inputs, output: (handle.remove(), output * float('inf'))[1]
        )

    run(spoil, stop=stop, interval=interval)
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_bad_weight_is_named(run):
    def spoil(model):
        with torch.no_grad():
            model.backbone.layers[1].ffn.layers[1].weight[0, 0] = float('nan')

    _, message = run(spoil)
    assert 'in loss' in message
    assert 'parameter or buffer backbone.layers.1.ffn.layers.1.weight' in message


def test_bad_gradient_is_named_and_not_applied(run):
    before = {}

    def spoil(model):
        before.update({name: p.clone() for name, p in model.named_parameters()})
        model.backbone.cls_token.register_hook(lambda gradient: gradient * float('inf'))

    runner, message = run(spoil)
    assert 'in gradients' in message and 'gradient of backbone.cls_token' in message
    for name, parameter in runner.model.named_parameters():
        assert torch.equal(parameter, before[name]), name


class Dataset:
    """Remembers what it is told; a data set and a sampler in one."""

    def set_seed(self, seed):
        self.seed = seed

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return 1


def test_sampler_and_wrapped_data_sets_hear_of_seed_and_epoch():
    """What follows from it is in ``test_runs.py``."""
    parts = [Dataset(), Dataset()]
    loader = SimpleNamespace(dataset=ConcatDataset(parts), sampler=Dataset())
    runner = SimpleNamespace(seed=5, epoch=2, train_dataloader=loader)
    RandomStateHook().before_train_epoch(runner)
    assert [(part.seed, part.epoch) for part in parts] == [(5, 2), (5, 2)]
    assert loader.sampler.epoch == 2


class OnGPU(torch.Tensor):
    """A value that has to be waited for."""

    device = torch.device('cuda')


def test_losses_on_a_gpu_are_read_when_they_are_logged():
    """At each interval, and at the end of an epoch."""
    hub = MessageHub.get_instance('losses on a GPU')
    runner = SimpleNamespace(message_hub=hub, epoch=0, hooks=[LoggerHook(interval=3)])
    runner.train_dataloader = DataLoader(range(20), batch_size=4)
    runner.optim_wrapper = SimpleNamespace(param_groups=[{}])
    hook, seen = TrainingInfoHook(), []
    hook.before_train_epoch(runner)
    for runner.iter in range(5):
        loss = torch.tensor(float(runner.iter)).as_subclass(OnGPU)
        hook.after_train_iter(runner, runner.iter, outputs={'loss': loss})
        history = hub.log_scalars.get('train/loss')
        seen.append(0 if history is None else len(history.data[0]))
    assert seen == [0, 0, 3, 3, 5]
    assert history.data[0].tolist() == [0, 1, 2, 3, 4]

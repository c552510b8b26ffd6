from pathlib import Path
from types import SimpleNamespace

import torch
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from tiny_runs import pass_config, quick_start, write_crops

from passreid.apis import build_runner
from passreid.engine import FreezePrototypesHook, TeacherHook

ROOT = Path(__file__).parents[3]


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = []
        self.prototypes = torch.nn.Linear(2, 2)

    def set_epoch(self, epoch):
        self.calls.append(('epoch', epoch))

    def update_teacher(self, momentum):
        self.calls.append(('update', momentum))

    def prototype_parameters(self):
        return list(self.prototypes.parameters())


def runner_at(iteration, steps=True, epoch=0):
    wrapper = SimpleNamespace(should_update=lambda: steps, skipped=None)
    wrapper.skip = lambda parameters: setattr(wrapper, 'skipped', list(parameters))
    return SimpleNamespace(
        model=Model(),
        iter=iteration,
        epoch=epoch,
        max_iters=5000,
        optim_wrapper=wrapper,
        message_hub=MessageHub.get_instance('teacher'),
    )


def test_momentum_equals_the_recorded_schedule(reference):
    hook = TeacherHook()
    found = torch.tensor([hook.momentum(i, 5000) for i in range(5000)])
    expected = reference('schedules')['pretrain/momentum']
    torch.testing.assert_close(found, expected, atol=1e-7, rtol=0)


class Start(Hook):
    """Remember the weights that training begins with."""

    def before_train_iter(self, runner, *args, **kwargs):
        if runner.iter == 0:
            state = runner.model.state_dict()
            self.weights = {name: value.clone() for name, value in state.items()}


def test_teacher_and_centres_of_a_checkpoint_are_what_a_new_run_begins_with(tmp_path):
    crops = write_crops(tmp_path / 'crops', count=8)
    with quick_start():
        build_runner(pass_config(ROOT, crops, tmp_path / 'first')).train()
        path = tmp_path / 'first' / 'epoch_2.pth'
        cfg = pass_config(ROOT, crops, tmp_path / 'second', load_from=str(path))
        runner = build_runner(cfg)
        start = Start()
        runner.register_hook(start)
        runner.train()
    saved = torch.load(path, weights_only=True)['state_dict']
    for name in ('head.centres', 'teacher.backbone.cls_token', 'backbone.cls_token'):
        assert not torch.equal(runner.model.state_dict()[name], saved[name]), name
    assert not torch.equal(saved['backbone.cls_token'], saved['teacher.backbone.cls_token'])
    for name, value in saved.items():
        assert torch.equal(start.weights[name], value), name


def test_teacher_moves_after_optimiser_steps_only():
    for steps, calls in ((True, [('update', 0.996)]), (False, [])):
        runner = runner_at(0, steps)
        TeacherHook().after_train_iter(runner, 0)
        assert runner.model.calls == calls


def test_model_hears_of_the_epoch():
    runner = runner_at(0, epoch=4)
    TeacherHook().before_train_epoch(runner)
    assert runner.model.calls == [('epoch', 4)]


def test_prototypes_rest_in_the_first_epochs():
    for epoch, expected in ((0, 2), (1, 2), (2, 0)):
        runner = runner_at(0, epoch=epoch)
        FreezePrototypesHook(epochs=2).before_train_epoch(runner)
        assert len(runner.optim_wrapper.skipped) == expected

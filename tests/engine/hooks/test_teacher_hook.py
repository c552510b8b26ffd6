from pathlib import Path
from types import SimpleNamespace

import torch
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from tiny_runs import pass_config, quick_start, train, write_crops

from passreid.engine import FreezePrototypesHook, TeacherHook

ROOT = Path(__file__).parents[3]


class Model:
    def __init__(self):
        self.calls = []

    def set_epoch(self, epoch):
        self.calls.append(('epoch', epoch))

    def update_teacher(self, momentum):
        self.calls.append(('update', momentum))

    def prototype_parameters(self):
        return ['weight', 'bias']


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


def test_teacher_moves_after_optimizer_steps_only():
    for steps, calls in ((True, [('epoch', 4), ('update', 0.996)]), (False, [('epoch', 4)])):
        runner = runner_at(0, steps, epoch=4)
        TeacherHook().before_train_epoch(runner)
        TeacherHook().after_train_iter(runner, 0)
        assert runner.model.calls == calls


def test_prototypes_rest_in_the_first_epochs():
    for epoch, expected in ((0, 2), (1, 2), (2, 0)):
        runner = runner_at(0, epoch=epoch)
        FreezePrototypesHook(epochs=2).before_train_epoch(runner)
        assert len(runner.optim_wrapper.skipped) == expected


class Start(Hook):
    """Remember the weights that training begins with."""

    def before_train_iter(self, runner, *args, **kwargs):
        if runner.iter == 0:
            state = runner.model.state_dict()
            self.weights = {name: value.clone() for name, value in state.items()}


def test_files_hold_the_teacher(tmp_path):
    """The backbone file, and a checkpoint, with which a new run begins."""
    crops = write_crops(tmp_path / 'crops', count=8)
    start = Start()
    with quick_start():
        train(pass_config(ROOT, crops, tmp_path / 'first'))
        path = tmp_path / 'first' / 'epoch_2.pth'
        runner = train(pass_config(ROOT, crops, tmp_path / 'second', load_from=str(path)), start)
    saved = torch.load(path, weights_only=True)['state_dict']
    exported = torch.load(tmp_path / 'first' / 'teacher_backbone.pth', weights_only=True)
    assert exported['meta']['pos_embed_grid'] == (4, 2)
    for name, value in exported['state_dict'].items():
        assert torch.equal(value, saved[f'teacher.backbone.{name}']), name
    assert not torch.equal(saved['backbone.cls_token'], saved['teacher.backbone.cls_token'])
    for name, value in saved.items():
        assert torch.equal(start.weights[name], value), name
    for name in ('teacher.backbone.cls_token', 'backbone.cls_token'):
        assert not torch.equal(runner.model.state_dict()[name], saved[name]), name

from types import SimpleNamespace

import torch
from mmengine.logging import MessageHub

from passreid.engine import FreezePrototypesHook, TeacherHook


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = []
        self.prototypes = torch.nn.Linear(2, 2)

    def sync_teacher(self):
        self.calls.append('sync')

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


def test_teacher_starts_from_the_student_in_a_fresh_run_only():
    for iteration, calls in ((0, ['sync']), (3, [])):
        runner = runner_at(iteration)
        TeacherHook().before_train(runner)
        assert runner.model.calls == calls


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

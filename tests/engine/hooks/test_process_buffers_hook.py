from types import SimpleNamespace

import pytest
import torch
from mmengine.model import BaseModel

from passreid.engine.hooks import ProcessBuffersHook, process_buffers_hook

COUNT = 2**40 + 1


class Normed(BaseModel):
    def __init__(self, mean):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(3)
        self.norm.running_mean.fill_(mean)
        self.norm.num_batches_tracked.fill_(COUNT)
        self.register_buffer('scratch', torch.full((2,), mean), persistent=False)

    def forward(self, inputs):
        return self.norm(inputs)


def runner(mean, resume=True):
    return SimpleNamespace(model=Normed(mean), _resume=resume)


@pytest.fixture
def processes(monkeypatch):
    """Be one process of some, the others of which have sent what ``sent`` holds."""
    sent = []

    def be(rank, number):
        module = process_buffers_hook
        monkeypatch.setattr(module, 'get_rank', lambda: rank)
        monkeypatch.setattr(module, 'get_world_size', lambda: number)
        monkeypatch.setattr(module, 'is_main_process', lambda: rank == 0)
        monkeypatch.setattr(
            module, 'gather', lambda data: [data, *sent] if rank == 0 else sent.append(data)
        )

    return be


@pytest.fixture
def checkpoint(processes):
    """What two processes save whose means are 0.1 and 0.3."""
    processes(1, 2)
    ProcessBuffersHook().before_save_checkpoint_in_all(runner(0.3))
    processes(0, 2)
    hook, first = ProcessBuffersHook(), runner(0.1)
    hook.before_save_checkpoint_in_all(first)
    content = {'state_dict': first.model.state_dict()}
    hook.before_save_checkpoint(first, content)
    return content


def test_only_what_differs_is_saved(checkpoint):
    assert list(checkpoint['process_buffers']) == ['norm.running_mean']
    assert torch.equal(
        checkpoint['process_buffers']['norm.running_mean'], torch.tensor([[0.1] * 3, [0.3] * 3])
    )


@pytest.mark.parametrize(('rank', 'number', 'mean'), [(0, 2, 0.1), (1, 2, 0.3), (2, 4, 0.2)])
def test_each_process_resumes_its_own_or_the_mean(processes, checkpoint, rank, number, mean):
    processes(rank, number)
    ProcessBuffersHook().after_load_checkpoint(runner(0.0), checkpoint)
    weights = checkpoint['state_dict']
    torch.testing.assert_close(weights['norm.running_mean'], torch.full((3,), mean))
    assert weights['norm.num_batches_tracked'] == COUNT


def test_weights_alone_are_those_of_the_first_process(processes, checkpoint):
    processes(1, 2)
    ProcessBuffersHook().after_load_checkpoint(runner(0.0, resume=False), checkpoint)
    assert torch.equal(checkpoint['state_dict']['norm.running_mean'], torch.full((3,), 0.1))


def test_equal_processes_save_nothing(processes):
    processes(1, 2)
    ProcessBuffersHook().before_save_checkpoint_in_all(runner(0.1))
    processes(0, 2)
    hook, content = ProcessBuffersHook(), {}
    hook.before_save_checkpoint_in_all(runner(0.1))
    hook.before_save_checkpoint(None, content)
    assert content == {}


def test_one_process_saves_nothing():
    hook, content = ProcessBuffersHook(), {}
    hook.before_save_checkpoint_in_all(runner(0.1))
    hook.before_save_checkpoint(None, content)
    assert content == {}

from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub

from passreid.engine import PretrainMonitorHook


class Runner:
    def __init__(self, name, cosines, iteration):
        self.message_hub = MessageHub.get_instance(name)
        self.iter = iteration
        self.warnings = []
        self.logger = SimpleNamespace(warning=self.warnings.append)
        figures = {f'part_cosine_{k}': torch.tensor(v) for k, v in enumerate(cosines, start=1)}
        self.model = SimpleNamespace(
            backbone=SimpleNamespace(num_parts=len(cosines)),
            data_preprocessor=lambda batch, training: {'inputs': {'global_views': torch.ones(2)}},
            part_separation=lambda views: figures,
        )


@pytest.fixture
def look(request):
    def call(information, cosines=(), iteration=599, **options):
        runner = Runner(request.node.name, cosines, iteration)
        for value in information:
            runner.message_hub.update_scalar('train/teacher_information', value)
        PretrainMonitorHook(**options).after_train_iter(runner, 0)
        return runner

    return call


def test_healthy_run_is_quiet_and_logged(look):
    runner = look([2.0] * 50, (0.5, 0.7, 0.99))
    assert runner.warnings == []
    logged = [runner.message_hub.get_scalar(f'train/part_cosine_{k}').current() for k in (1, 2, 3)]
    assert logged == pytest.approx([0.5, 0.7, 0.99])


def test_collapse_of_the_whole(look):
    (warning,) = look([3.0] * 10 + [0.01] * 50).warnings
    assert 'Collapse' in warning


def test_collapse_of_the_parts(look):
    (warning,) = look([2.0] * 50, (0.985, 0.99, 0.995)).warnings
    assert 'parts' in warning


@pytest.mark.parametrize('iteration', [49, 600])
def test_looks_at_intervals_and_warns_not_at_the_beginning(look, iteration):
    assert look([0.0] * 50, (0.99,), iteration=iteration).warnings == []

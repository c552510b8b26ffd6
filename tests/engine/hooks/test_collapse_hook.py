from types import SimpleNamespace

import pytest
from mmengine.logging import MessageHub

from passreid.engine import CollapseHook


class Runner:
    def __init__(self, name, iteration=599):
        self.message_hub = MessageHub.get_instance(name)
        self.iter = iteration
        self.warnings = []
        self.logger = SimpleNamespace(warning=self.warnings.append)


@pytest.fixture
def look(request):
    def call(information, cosines=(), **options):
        runner = Runner(request.node.name, options.pop('iteration', 599))
        for value in information:
            runner.message_hub.update_scalar('train/teacher_information', value)
        for part, value in enumerate(cosines, start=1):
            runner.message_hub.update_scalar(f'train/part_cosine_{part}', value)
        CollapseHook(**options).after_train_iter(runner, 0)
        return runner.warnings

    return call


def test_healthy_run_is_quiet(look):
    assert look([2.0] * 50, (0.5, 0.7, 0.99)) == []


def test_collapse_of_the_whole(look):
    (warning,) = look([3.0] * 10 + [0.01] * 50)
    assert warning.startswith('Collapse: assignments carry 0.010 nats')


def test_collapse_of_the_parts(look):
    (warning,) = look([2.0] * 50, (0.985, 0.99, 0.995))
    assert 'Collapse of the parts' in warning and '0.985' in warning


@pytest.mark.parametrize('iteration', [49, 600])
def test_looks_at_intervals_and_not_at_the_beginning(look, iteration):
    assert look([0.0] * 50, iteration=iteration) == []

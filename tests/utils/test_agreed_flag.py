from types import SimpleNamespace

import pytest
import torch

from passreid.utils import agreed_flag
from passreid.utils.agreed_flag import AgreedFlag


@pytest.fixture
def others(monkeypatch):
    """Be one of several processes, of which the others raise the flag when told to."""
    state = SimpleNamespace(raised=False, asked=0)

    def all_reduce(value, op, async_op):
        assert async_op
        state.asked += 1
        answer = max(value.item(), float(state.raised))
        return SimpleNamespace(wait=lambda: value.fill_(answer))

    monkeypatch.setattr(agreed_flag, 'get_world_size', lambda: 2)
    monkeypatch.setattr(agreed_flag, 'get_comm_device', lambda: torch.device('cpu'))
    monkeypatch.setattr(agreed_flag.dist, 'all_reduce', all_reduce)
    return state


def test_single_process_answers_at_once():
    flag = AgreedFlag()
    assert not flag.exchange()
    assert not flag.agree()
    flag.raised = True
    assert flag.exchange()
    assert flag.agree()
    assert not flag.settle()


@pytest.mark.parametrize('who', ['self', 'other'])
def test_answer_comes_with_the_next_call(others, who):
    flag = AgreedFlag()
    assert not flag.exchange()
    flag.raised, others.raised = who == 'self', who == 'other'
    # The others were asked before.
    assert not flag.exchange()
    assert flag.exchange()
    # There is nothing left to ask.
    assert others.asked == 2
    assert not flag.settle()


def test_agreeing_waits_for_the_answer(others):
    flag = AgreedFlag()
    assert not flag.exchange()
    others.raised = True
    assert flag.agree()
    assert others.asked == 2


def test_no_question_is_left_open(others):
    flag = AgreedFlag()
    flag.exchange()
    assert not flag.settle()
    assert flag._question is None

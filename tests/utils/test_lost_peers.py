import time

import pytest
import torch.distributed as dist

from passreid.utils.lost_peers import leave_the_word_to_the_first, note_told_to_end

LOST = '[gloo/transport/tcp/pair.cc:545] Read error [127.0.0.1]:13722: Connection reset by peer.'


@pytest.fixture
def group(tmp_path):
    dist.init_process_group(
        'gloo', store=dist.FileStore(str(tmp_path / 'store'), 1), rank=0, world_size=1
    )
    yield
    dist.destroy_process_group()


def fail(error, patience=0.2):
    """Return the failure and how long it was held back."""
    start = time.monotonic()
    with pytest.raises(type(error)) as caught, leave_the_word_to_the_first(patience):
        raise error
    return str(caught.value), time.monotonic() - start


def test_loss_of_the_others_waits_and_points_to_them(group):
    message, seconds = fail(RuntimeError(LOST))
    assert seconds >= 0.2
    assert message.startswith('Process 0 of 1 lost the others: one of them died')
    assert LOST in message


@pytest.mark.parametrize('error', [RuntimeError('out of memory'), ValueError(LOST)])
def test_own_errors_come_at_once(group, error):
    message, seconds = fail(error, patience=60)
    assert message == str(error)
    assert seconds < 30


def test_a_single_process_has_no_others():
    assert fail(RuntimeError(LOST), patience=60)[0] == LOST


def test_who_was_told_to_end_does_not_wait(group):
    error = RuntimeError(LOST)
    note_told_to_end(error)
    start = time.monotonic()
    with pytest.raises(SystemExit) as caught, leave_the_word_to_the_first(60):
        raise error
    assert caught.value.code == 143
    assert time.monotonic() - start < 30

import threading

import pytest
import torch

from passreid.clustering.threads import over_rows


@pytest.fixture
def num_threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize('threads', [1, 2, 5])
@pytest.mark.parametrize('rows', [1, 2, 3, 17, 100])
def test_pieces_cover_the_rows_in_order(num_threads, threads, rows):
    num_threads(threads)
    pieces = over_rows(lambda start, stop, other: (start, stop, other), rows, 'other')
    assert [piece[0] for piece in pieces[1:]] == [piece[1] for piece in pieces[:-1]]
    assert (pieces[0][0], pieces[-1][1]) == (0, rows)
    assert all(start < stop and other == 'other' for start, stop, other in pieces)


def test_as_many_at_a_time_as_torch_would(num_threads):
    num_threads(3)
    meeting = threading.Barrier(3, timeout=20)
    over_rows(lambda start, stop: meeting.wait() if start < 3 else None, 12)


def test_one_thread_makes_one_call(num_threads):
    num_threads(1)
    assert over_rows(lambda *piece: piece, 1000) == [(0, 1000)]


def test_errors_come_back(num_threads):
    num_threads(2)

    def fail(start, stop):
        raise RuntimeError(f'row {start}')

    with pytest.raises(RuntimeError, match='row 0'):
        over_rows(fail, 10)

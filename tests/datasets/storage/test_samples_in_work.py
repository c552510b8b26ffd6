import copy
import os
import pickle

import pytest
from torch.multiprocessing import get_context

from passreid.datasets.storage.samples_in_work import SamplesInWork, sample_of_process


def begin_and_die(table, name):
    with table.begun(name):
        os._exit(1)


def begin_and_live(table, name):
    with table.begun(name):
        pass


@pytest.mark.parametrize('name', ['a.jpg', 'Zürich/\udcff.jpg', 'x' * 600 + 'end.jpg'])
def test_note_of_the_dead_stays(name):
    table = SamplesInWork()
    process = get_context('fork').Process(target=begin_and_die, args=(table, name))
    process.start()
    process.join()
    noted = sample_of_process(process.pid)
    assert name.endswith(noted) and len(noted) == min(len(name), 496)


def test_nothing_is_noted_between_samples():
    table = SamplesInWork()
    process = get_context('fork').Process(target=begin_and_live, args=(table, 'a.jpg'))
    process.start()
    process.join()
    assert sample_of_process(process.pid) is None
    with pytest.raises(KeyError), table.begun('b.jpg'):
        assert sample_of_process(os.getpid()) == 'b.jpg'
        raise KeyError
    assert sample_of_process(os.getpid()) is None


@pytest.mark.parametrize('duplicate', [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_copies_have_tables_of_their_own(duplicate):
    table = SamplesInWork()
    other = duplicate(table)
    with table.begun('a.jpg'):
        assert table.of_process(os.getpid()) == 'a.jpg'
        assert other.of_process(os.getpid()) is None
    assert len(pickle.dumps(table)) < 200

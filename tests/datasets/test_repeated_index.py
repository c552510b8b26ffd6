import pickle

import numpy as np

from passreid.datasets.repeated_index import RepeatedIndex, visit_of


def test_is_an_int_that_survives_the_way_to_a_worker():
    index = RepeatedIndex(7, visit=2)
    for same in (index, pickle.loads(pickle.dumps(index))):
        assert same == 7
        assert isinstance(same, int)
        assert np.arange(10)[same] == list(range(10))[same] == 7
        assert visit_of(same) == 2


def test_other_indices_are_a_first_visit():
    assert visit_of(7) == visit_of(np.int64(7)) == 0

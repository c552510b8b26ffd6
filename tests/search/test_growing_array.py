import numpy as np

from passreid.search.growing_array import GrowingArray


def test_rows_are_added():
    array = GrowingArray(np.empty((0, 3), np.float32))
    parts = [np.full((number, 3), number, np.float32) for number in (2, 0, 5, 1, 40)]
    for part in parts:
        array.extend(part)
    np.testing.assert_array_equal(array.rows, np.concatenate(parts))
    assert len(array) == 48 and array.rows.dtype == np.float32


def test_first_rows_are_not_copied_and_memory_is_rarely_taken():
    first = np.arange(4)
    array = GrowingArray(np.empty(0, np.int64))
    array.extend(first)
    assert array.rows.base is first
    homes = set()
    for number in range(1000):
        array.extend(np.array([number]))
        homes.add(id(array._memory))
    assert len(homes) < 12 and array.rows[-1] == 999


def test_views_stay_as_they_are():
    array = GrowingArray(np.arange(3))
    view = array.rows
    array.extend(np.arange(2))
    assert view.tolist() == [0, 1, 2] and array.rows.tolist() == [0, 1, 2, 0, 1]

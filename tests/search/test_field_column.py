import numpy as np
import pytest

from passreid.search.field_column import FieldColumn

VALUES = ['a', None, 1, 1.0, True, 'a', None, False, 0, '']


@pytest.fixture
def column():
    return FieldColumn.of(VALUES)


def as_list(column):
    return [column[row] for row in range(len(column.codes))]


def test_values_keep_their_types(column):
    assert as_list(column) == VALUES
    assert [type(value) for value in as_list(column)] == [type(value) for value in VALUES]
    assert column.codes.dtype == np.int32 and len(column.values) == 7


@pytest.mark.parametrize(
    ('value', 'rows'),
    [('a', [0, 5]), (1, [2, 3]), (1.0, [2, 3]), (True, [4]), (False, [7]), (0, [8]), ('', [9])],
)
def test_equal(column, value, rows):
    assert np.flatnonzero(column.equal(value)).tolist() == rows


@pytest.mark.parametrize('value', ['b', 2, 0.5, '1'])
def test_value_that_no_record_has(column, value):
    assert not column.equal(value).any()


def test_columns_are_joined(column):
    column.extend(FieldColumn.of([None, 'b', 1, 'a']))
    assert as_list(column) == [*VALUES, None, 'b', 1, 'a']
    assert np.flatnonzero(column.equal('a')).tolist() == [0, 5, 13]


def test_taken_rows_hold_no_other_values(column):
    taken = column.take(np.array([9, 1, 4, 9]))
    assert as_list(taken) == ['', None, True, ''] and sorted(map(str, taken.values)) == ['', 'True']
    assert as_list(column.take(np.array([1, 6]))) == [None, None]

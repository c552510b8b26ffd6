import numpy as np
import pytest
from random_galleries import NASTY

from passreid.search.text_column import TextColumn

TEXTS = ['', *NASTY, 'a\udcff', '', 'z' * 5000, '']


@pytest.fixture
def column():
    return TextColumn.of(TEXTS)


def test_texts_come_back(column):
    assert list(column) == [column[row] for row in range(len(column))] == TEXTS
    assert list(TextColumn.of([])) == [] and len(TextColumn.of([])) == 0


def test_columns_are_joined(column):
    joined = TextColumn.of([])
    for _ in range(3):
        joined.extend(column)
    joined.extend(TextColumn.of(['end']))
    assert list(joined) == [*TEXTS * 3, 'end'] and list(column) == TEXTS
    assert list(TextColumn(*joined.arrays)) == list(joined)


def test_some_rows(column):
    assert list(column.take(np.array([len(TEXTS) - 2, 0, 1]))) == ['z' * 5000, '', TEXTS[1]]


def test_bytes_are_those_of_the_texts(column):
    characters, ends = column.arrays
    assert characters.dtype == np.uint8 and ends.dtype == np.int64
    assert (
        ends[-1] == len(characters) == sum(len(t.encode('utf-8', 'surrogateescape')) for t in TEXTS)
    )

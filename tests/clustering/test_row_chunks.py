import pytest

from passreid.clustering.row_chunks import row_chunks


def test_rows_are_covered_once():
    for size in (1, 3, 10, 11):
        rows = [row for chunk in row_chunks(10, 5, size) for row in range(10)[chunk]]
        assert rows == list(range(10))


def test_blocks_take_32_mib_and_have_128_rows_at_least():
    for columns, expected in ((10_000, 838), (82_161, 128), (10**9, 128)):
        first = next(row_chunks(10**6, columns))
        assert first == slice(0, expected)


@pytest.mark.parametrize('size', [0, -1])
def test_size_must_be_positive(size):
    with pytest.raises(ValueError, match=f'chunk_size is {size}'):
        next(row_chunks(10, 10, size))

"""Cutting of a matrix into blocks of rows."""

from collections.abc import Iterator

ELEMENTS = 2**23  # 32 MiB of distances
LEAST_ROWS = 128  # Fewer make products of matrices slow.


def row_chunks(num_rows: int, num_columns: int, chunk_size: int | None = None) -> Iterator[slice]:
    """Cut the rows of a matrix.

    Args:
        num_rows (int): Rows of the matrix.
        num_columns (int): Columns of the matrix.
        chunk_size (int, optional): Rows of a block; by default as many as take 32 MiB in float32,
            and 128 at least.

    Yields:
        slice: Rows of a block.

    Raises:
        ValueError: If ``chunk_size`` is not positive.
    """
    if chunk_size is None:
        chunk_size = max(ELEMENTS // max(num_columns, 1), LEAST_ROWS)
    if chunk_size < 1:
        raise ValueError(f'chunk_size is {chunk_size}, expected at least 1')
    for start in range(0, num_rows, chunk_size):
        yield slice(start, min(start + chunk_size, num_rows))

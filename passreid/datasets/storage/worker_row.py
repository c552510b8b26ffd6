"""A row for each worker in tables that several processes write."""

from torch.utils.data import get_worker_info

# Row 0 is the main process's.
WORKER_ROWS = 257


def worker_row() -> int:
    """Return the row of this process: 0 in the main process, then the workers'."""
    worker = get_worker_info()
    return 0 if worker is None else 1 + worker.id % (WORKER_ROWS - 1)

"""What is tried on purpose to break runs, data sets and files, and a table of it."""

import os
from collections import Counter
from pathlib import Path
from unittest import mock

import pytest
import torch

HERE = Path(__file__).parent
TRIED = pytest.StashKey[Counter]()


def pytest_collection_modifyitems(items):
    """Everything here runs after the quick tests."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope='module', autouse=True)
def one_thread():
    """Let sums be added in one order, here and in processes that are started, to be bit-equal."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with mock.patch.dict(os.environ, OMP_NUM_THREADS='1', MKL_NUM_THREADS='1'):
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope='session')
def full(request):
    """Whether to try as often as the documentation says, instead of a few times."""
    return request.config.getoption('--full')


@pytest.fixture(scope='session')
def tried(request):
    """Count something that was tried and came out as it should: ``tried(area, what, outcome)``.

    Call it after the assertions, so that the table holds what was seen.
    """
    counts = request.config.stash.setdefault(TRIED, Counter())

    def count(area, what, outcome, times=1):
        counts[area, what, outcome] += times

    return count


def pytest_terminal_summary(terminalreporter, config):
    """Show what was tried, how often, and what happened; ``--tried FILE`` keeps it."""
    counts = config.stash.get(TRIED, Counter())
    if not counts:
        return
    rows = ['| area | what was tried | times | what happened |', '|---|---|---:|---|']
    rows += (
        f'| {area} | {what} | {times} | {outcome} |'
        for (area, what, outcome), times in sorted(counts.items())
    )
    terminalreporter.section(f'{sum(counts.values())} times tried')
    for row in rows:
        terminalreporter.write_line(row)
    if path := config.getoption('--tried'):
        Path(path).write_text('\n'.join([*rows, '']))

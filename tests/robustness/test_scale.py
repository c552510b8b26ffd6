"""As many names as LUPerson has: starting, memory of workers, and epochs without loss."""

import importlib
from pathlib import Path

import numpy as np
import pytest

TOOLS = Path(__file__).parents[2] / 'tools' / 'benchmarks'
AREA = 'scale'
MANY, FEW, FULL = 200_000, 1_000, 4_180_243
MIB = 2**20


@pytest.fixture(scope='module')
def tools():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOLS))
        names = ('simulated_luperson', 'scale_measures', 'epoch_counts')
        yield {name: importlib.import_module(name) for name in names}


@pytest.fixture(scope='module')
def many(full):
    return FULL if full else MANY


@pytest.fixture(scope='module', params=['lmdb', 'folder'])
def layout(request):
    return request.param


@pytest.fixture(scope='module')
def roots(tools, many, layout, tmp_path_factory):
    """Folders of the large data set and of one with 1000 names."""
    folder = tmp_path_factory.mktemp(layout)
    write = getattr(tools['simulated_luperson'], f'write_{layout}')
    roots = folder / 'many', folder / 'few'
    for root, number in zip(roots, (many, FEW), strict=True):
        write(root, number)
    return [str(root) for root in roots]


def test_start_and_memory_of_workers(tools, roots, many, layout, tried, full):
    measures = tools['scale_measures']
    first, later = (measures.measure_start(roots[0]) for _ in range(2))
    # As Python objects the names alone take more than 80 bytes each.
    assert later.kept < 16 * MIB + 8 * many
    assert later.peak < 32 * MIB
    assert first.peak < 64 * MIB + 150 * many
    if full:
        assert later.seconds < 60
    tried(AREA, f'{many} names, {layout}: start', 'from the cache')
    # Each of these starts a process that imports everything.
    ways = [('fork', 2), ('spawn', 2), ('fork', 8)]
    for method, number in ways if full else ways[:1] * (layout == 'lmdb'):
        samples = 40_000 if full else 8_000
        found, beside = (measures.measure_workers(root, method, number, samples) for root in roots)
        assert abs(found.own - beside.own) < 8 * MIB
        assert found.growth < 4 * MIB
        tried(AREA, f'{many} names, {layout}: {number} workers by {method}', 'no copy of the names')


def test_epoch_through_workers(tools, roots, many, layout, tried, full):
    counts, batch = tools['epoch_counts'], tools['scale_measures'].BATCH
    # Reading takes the time; the order of a whole epoch is counted below.
    third = 600 if full else 15
    read = counts.read_epoch(roots[0], [(third, 2), (2 * third, 1), (3 * third, 2)])
    counts.check_beginning(read, 3 * third * batch)
    what = f'{read.sum()} of {many} samples, {layout}, read by workers, interrupted twice'
    tried(AREA, what, 'each once')


def test_epoch_through_workers_to_its_end(tools, tmp_path, tried):
    tools['simulated_luperson'].write_folder(tmp_path / 'data', 5_001)
    counts = tools['epoch_counts'].read_epoch(str(tmp_path / 'data'), [(7, 2), (99, 2)])
    assert counts.tolist() == [1] * 5_001
    tried(AREA, '5001 samples, folder, a whole epoch read by workers, interrupted', 'each once')


def test_order_of_an_epoch(tools, tried, full):
    counts = tools['epoch_counts']
    generator = np.random.default_rng(0)
    # 64 ranks take a minute an epoch.
    for ranks in (1, 3, 8, 64) if full else (1, 3, 8):
        for epoch in (0, 7) if full else (7,):
            stops = sorted(generator.integers(1, FULL // ranks, 1 + full).tolist())
            counts.check_epoch(counts.count_epoch(FULL, ranks, stops, epoch), ranks)
            what = f'order of {FULL} images over {ranks} ranks, interrupted'
            tried(AREA, what, 'each once, padding exact')


def test_check_of_epochs_notices(tools):
    counts = tools['epoch_counts'].count_epoch(1000, 3, [17])
    tools['epoch_counts'].check_epoch(counts, 3)
    for place, change in ((5, -1), (6, 1)):
        other = counts.copy()
        other[place] += change
        with pytest.raises(AssertionError):
            tools['epoch_counts'].check_epoch(other, 3)
    with pytest.raises(AssertionError, match='2 images'):
        tools['epoch_counts'].check_beginning(np.roll(np.eye(1, 1000, dtype=int)[0], 3), 1)

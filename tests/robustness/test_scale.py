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
    for method, number in [('fork', 2)] + [('spawn', 2), ('fork', 8)] * full:
        samples = 40_000 if full else 8_000
        found, beside = (measures.measure_workers(root, method, number, samples) for root in roots)
        assert abs(found.own - beside.own) < 8 * MIB
        assert found.growth < 4 * MIB
        tried(AREA, f'{many} names, {layout}: {number} workers by {method}', 'no copy of the names')
    tried(AREA, f'{many} names, {layout}: start', 'from the cache')


def test_epoch_through_workers(tools, roots, many, layout, tried, full):
    counts = tools['epoch_counts']
    batches = -(-many // tools['scale_measures'].BATCH)
    stops = [(batches // 3, 2), (batches // 2, 1), (batches, 2)]
    if not full:
        # Reading takes the time; the order of a whole epoch is counted below.
        stops = [(20, 2), (35, 1), (50, 2)]
    read = counts.read_epoch(roots[0], stops)
    if full:
        counts.check_epoch(read, 1)
    else:
        drawn = counts.RankSampler(range(many), 0, 1)
        expected = np.fromiter(iter(drawn), np.int64)[: 50 * tools['scale_measures'].BATCH]
        assert np.array_equal(np.flatnonzero(read), np.sort(expected))
        assert read.max() == 1
    tried(AREA, f'{read.sum()} samples, {layout}, read by workers, interrupted twice', 'each once')


@pytest.mark.parametrize('ranks', [1, 3, 8, 64])
@pytest.mark.parametrize('epoch', [0, 7])
def test_order_of_an_epoch(tools, ranks, epoch, tried):
    counts = tools['epoch_counts']
    generator = np.random.default_rng(ranks + epoch)
    stops = sorted(generator.integers(1, FULL // ranks, 1).tolist())
    counts.check_epoch(counts.count_epoch(FULL, ranks, stops, epoch), ranks)
    tried(
        AREA, f'order of {FULL} images over {ranks} ranks, interrupted', 'each once, padding exact'
    )


def test_check_of_epochs_notices(tools):
    counts = tools['epoch_counts'].count_epoch(1000, 3, [17])
    tools['epoch_counts'].check_epoch(counts, 3)
    for place, change in ((5, -1), (6, 1)):
        other = counts.copy()
        other[place] += change
        with pytest.raises(AssertionError):
            tools['epoch_counts'].check_epoch(other, 3)

import importlib
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from literal_definitions import literal_jaccard, people

from passreid.clustering import cluster_statistics

TOOLS = Path(__file__).parents[2] / 'tools' / 'benchmarks'


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module('benchmark_clustering')


@pytest.mark.parametrize(('k1', 'k2'), [(30, 6), (20, 1), (7, 3)])
def test_the_plain_distances_are_the_definition(tool, k1, k2):
    plain = tool.plain_ranking
    # Far enough from one another for an order without ties.
    generator = np.random.default_rng(0)
    features = people(0, 90, 9)[0] / np.float32(32) + generator.normal(0, 0.01, (90, 8))
    features = torch.from_numpy(features.astype(np.float32))
    found = plain.jaccard(features, plain.nearest(features, max(k1, k2))[:, :k1], k1, k2)
    np.testing.assert_allclose(found, literal_jaccard(features.numpy(), k1, k2), rtol=0, atol=1e-5)


def test_prints_times_and_memory_of_sides_that_agree(tool, capsys, monkeypatch):
    # So small that the real ones may be 0.
    peaks = {'plain': 80 * 2**20, 'ours': 20 * 2**20}
    measure = importlib.import_module('measure')
    monkeypatch.setattr(
        measure, 'peak_memory', lambda build, device, side, *_, **__: (0, peaks[side])
    )
    setting = tool.Setting(400, 32)
    assert torch.equal(setting.features(), setting.features())
    labels = tool.report(setting, tool.SIDES, rounds=2)
    assert 0.5 * 400 / 17 < labels.max() < 400 / 17
    printed = capsys.readouterr().out
    assert re.search(r'^400 images: the same labels, \d+ clusters, \d+ outliers$', printed, re.M)
    rows = re.findall(r'^400 (.*?) +([\d.]+) +([\d.]+) +[\d.e+-]+x$', printed, re.M)
    assert [row[0] for row in rows] == [
        'neighbors, s', 'Jaccard, s', 'DBSCAN, s', 'total, s', 'peak MiB',
    ]  # fmt: skip


def test_sides_that_differ_are_refused(tool, monkeypatch):
    def wrong(features, search):
        labels, seconds = tool.cluster(features, search)
        return np.append(labels[:-1], 999), seconds

    monkeypatch.setattr(tool, 'cluster_plainly', wrong)
    with pytest.raises(RuntimeError, match='labels of 1 of 400 images'):
        tool.report(tool.Setting(400, 32), tool.SIDES, rounds=1)


def test_faiss_is_measured_too(tool):
    found, exact = (
        tool.build_work('ours', tool.Setting(2000, 64, search))()[0]
        for search in ('faiss', 'exact')
    )
    assert cluster_statistics(found, true_ids=exact).ari > 0.9


@pytest.mark.slow
def test_memory_is_far_below_that_of_all_pairs(tool):
    measure = importlib.import_module('measure')
    peak = measure.peak_memory(tool.build_work, 'cpu', 'ours', tool.Setting(12_000, 32), rounds=1)[
        1
    ]
    assert peak < 12_000**2 * 4 / 8

import importlib
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from literal_definitions import literal_jaccard, people

from passreid.clustering import cluster_statistics

TOOLS = Path(__file__).parents[2] / 'tools' / 'benchmarks'
SIDES = ('plain', 'ours')


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module('benchmark_clustering')


@pytest.fixture
def setting(tool):
    return tool.Setting(400, 32)


@pytest.mark.parametrize(('k1', 'k2'), [(30, 6), (20, 1), (7, 3)])
def test_the_plain_distances_are_the_definition(tool, k1, k2):
    plain = importlib.import_module('plain_clustering')
    # Far enough from one another for an order without ties.
    generator = np.random.default_rng(0)
    features = people(0, 90, 9)[0] / np.float32(32) + generator.normal(0, 0.01, (90, 8))
    features = torch.from_numpy(features.astype(np.float32))
    found = plain.jaccard(features, plain.nearest(features, max(k1, k2))[:, :k1], k1, k2)
    np.testing.assert_allclose(found, literal_jaccard(features.numpy(), k1, k2), rtol=0, atol=1e-5)


def test_both_sides_find_the_same_clusters(tool, setting):
    outcomes = tool.run(setting, SIDES, rounds=2)
    found = cluster_statistics(outcomes['ours'].labels, outcomes['plain'].labels)
    assert found.num_clusters > 10
    for outcome in outcomes.values():
        assert list(outcome.seconds) == ['neighbours', 'Jaccard', 'DBSCAN']
        assert min(outcome.seconds.values()) > 0


def test_sides_that_differ_are_refused(tool, setting, monkeypatch):
    build = tool.build_work

    def build_wrong(setting, side):
        work = build(setting, side)
        if side == 'plain':
            return work
        return lambda: work()._replace(labels=np.append(work().labels[:-1], 999))

    monkeypatch.setattr(tool, 'build_work', build_wrong)
    with pytest.raises(RuntimeError, match='the sides differ: labels of 1 of 400 images'):
        tool.run(setting, SIDES, rounds=1)


def test_features_are_of_people(tool):
    setting = tool.Setting(2000, 64)
    features = setting.features()
    assert torch.equal(features, setting.features())
    assert features.norm(dim=1).sub(1).abs().max() < 1e-6
    assert 0.5 * 2000 / 17 < tool.run(setting, ('ours',), 1)['ours'].labels.max() < 2000 / 17


def test_prints_times_and_memory_with_their_ratios(tool, setting, monkeypatch, capsys):
    peaks = {'plain': 80 * 2**20, 'ours': 20 * 2**20}
    monkeypatch.setattr(
        tool, 'peak_memory', lambda build, device, setting, side, **_: (0, peaks[side])
    )
    tool.report(setting, SIDES, rounds=1)
    printed = capsys.readouterr().out
    assert re.search(r'^400 images: the same labels, \d+ clusters, \d+ outliers$', printed, re.M)
    rows = re.findall(r'^400 (.*?) +([\d.]+) +([\d.]+) +([\d.e+]+)x$', printed, re.M)
    assert [row[0] for row in rows] == [
        'neighbours, s', 'Jaccard, s', 'DBSCAN, s', 'total, s', 'peak MiB',
    ]  # fmt: skip
    assert [float(value) for value in rows[-1][1:]] == [80, 20, 0.25]
    tool.report(setting, ('ours',), rounds=1)
    printed = capsys.readouterr().out
    assert 'same' not in printed
    assert re.search(r'^400 peak MiB +20$', printed, re.M)


def test_faiss_is_measured_too(tool):
    outcome = tool.run(tool.Setting(2000, 64, 'faiss'), ('ours',), 1)['ours']
    exact = tool.run(tool.Setting(2000, 64), ('ours',), 1)['ours']
    assert cluster_statistics(outcome.labels, true_ids=exact.labels).ari > 0.9


@pytest.mark.slow
def test_memory_is_far_below_that_of_all_pairs(tool):
    setting = tool.Setting(12_000, 32)
    peak = tool.peak_memory(tool.build_work, 'cpu', setting, 'ours', rounds=1)[1]
    assert peak < 12_000**2 * 4 / 8

import importlib
import re
from pathlib import Path

import numpy as np
import pytest
from literal_definitions import literal_re_ranking

TOOLS = Path(__file__).parents[2] / 'tools' / 'benchmarks'


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module('benchmark_ranking')


@pytest.fixture
def setting(tool):
    return tool.Setting(40, 200, identities=12, others=4, cameras=4, dims=256, likeness=0.3)


@pytest.mark.parametrize('part', ['evaluation', 're-ranking'])
def test_both_sides_compute_the_same(tool, setting, part):
    assert tool.difference(setting, part) < 1e-6


def test_the_plain_re_ranking_is_the_definition(tool, setting):
    features = setting.features()
    plain = tool.build_work(setting, 'plain', 're-ranking')()
    expected = literal_re_ranking(*(side.numpy() for side in features))
    np.testing.assert_allclose(plain, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize('part', ['evaluation', 're-ranking'])
def test_sides_that_differ_are_refused(tool, setting, part, monkeypatch):
    build = tool.build_work

    def build_wrong(setting, side, part):
        work = build(setting, side, part)
        if side == 'ours':
            return work
        if part == 'evaluation':
            return lambda: {**work(), 'mINP': work()['mINP'] + 1e-5}
        return lambda: work() + np.float32(1e-5)

    monkeypatch.setattr(tool, 'build_work', build_wrong)
    with pytest.raises(RuntimeError, match=rf'the sides differ: {part} by (1\.|9\.)'):
        tool.difference(setting, part)


def test_streamed_re_ranking_scores_the_same_distances(tool, setting):
    distances = tool.build_work(setting, 'ours', 're-ranking')()
    scores = tool.build_work(setting, 'ours', 're-ranked evaluation')()
    plain = importlib.import_module('plain_ranking').evaluate(distances, *setting.labels())
    assert scores.mAP == pytest.approx(plain['mAP'], abs=1e-6)


def test_features_have_exact_products(tool):
    query, gallery = tool.Setting(50, 60, 9, 1, 2).features()
    exact = query.double() @ gallery.double().T
    assert (query @ gallery.T == exact.float()).all()
    assert (exact * 64**2 % 1 == 0).all()
    assert exact.abs().max() * 64**2 < 2**24


def test_prints_times_and_memory_with_their_ratios(tool, setting, monkeypatch, capsys):
    peaks = {'plain': 80 * 2**20, 'ours': 20 * 2**20}
    monkeypatch.setattr(
        tool, 'peak_memory', lambda build, device, setting, side, part, **_: (0, peaks[side])
    )
    tool.compare(setting, 'evaluation', rounds=1)
    printed = capsys.readouterr().out
    numbers = re.findall(
        r'^evaluation 40 x 200, (.*?) +([\d.]+) +([\d.]+) +([\d.]+)x$', printed, re.M
    )
    assert [row[0] for row in numbers] == ['s', 'peak MiB']
    assert [float(value) for value in numbers[1][1:]] == [80, 20, 0.25]
    tool.measure(setting, 're-ranked evaluation')
    printed = capsys.readouterr().out
    assert re.search(r'^re-ranked evaluation 40 x 200, peak MiB +20$', printed, re.M)

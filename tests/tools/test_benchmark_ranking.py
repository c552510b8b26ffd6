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
    peaks = {'plain': 80 * 2**20, 'ours': 20 * 2**20}
    monkeypatch.setattr(
        importlib.import_module('measure'),
        'peak_memory',
        lambda build, device, side, *args, **options: (0, peaks[side]),
    )
    return importlib.import_module('benchmark_ranking')


@pytest.fixture
def setting(tool):
    return tool.Setting(40, 200, identities=12, others=4, cameras=4, dims=256, likeness=0.3)


def test_the_plain_re_ranking_is_the_definition(tool, setting):
    plain = tool.build_work('plain', 're-ranking', setting)()
    expected = literal_re_ranking(*(side.numpy() for side in setting.features()))
    np.testing.assert_allclose(plain, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize('part', ['evaluation', 're-ranking'])
def test_prints_times_and_memory_of_sides_that_agree(tool, setting, capsys, part):
    tool.compare(part, setting, rounds=1)
    printed = capsys.readouterr().out
    rows = re.findall(rf'^{part} 40 x 200, (.*?) +([\d.]+) +([\d.]+) +([\d.e+]+)x$', printed, re.M)
    assert [row[0] for row in rows] == ['s', 'peak MiB']
    assert [float(value) for value in rows[1][1:]] == [80, 20, 0.25]


@pytest.mark.parametrize('part', ['evaluation', 're-ranking'])
def test_sides_that_differ_are_refused(tool, setting, part, monkeypatch):
    right = tool.WORKS['plain', part]

    def wrong(features, labels):
        outcome = right(features, labels)
        if part == 're-ranking':
            return outcome + np.float32(1e-5)
        return {**outcome, 'mINP': outcome['mINP'] + 1e-5}

    monkeypatch.setitem(tool.WORKS, ('plain', part), wrong)
    with pytest.raises(RuntimeError, match=f'{part} by'):
        tool.compare(part, setting, rounds=1)


def test_streamed_re_ranking_scores_the_same_distances(tool, setting):
    distances, scores = (
        tool.build_work('ours', part, setting)() for part in ('re-ranking', 're-ranked evaluation')
    )
    plain = tool.plain_ranking.evaluate(distances, *setting.labels())
    assert tool.largest_difference(plain, scores) < 1e-6


def test_features_have_exact_products(tool):
    query, gallery = tool.Setting(50, 60, 9, 1, 2).features()
    exact = query.double() @ gallery.double().T
    assert (query @ gallery.T == exact.float()).all()
    assert (exact * 64**2 % 1 == 0).all()
    assert exact.abs().max() * 64**2 < 2**24

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

TOOLS = Path(__file__).parents[2] / 'tools' / 'benchmarks'


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module('benchmark_search')


def test_people_are_as_alike_as_they_should_be(tool):
    features, queries = tool.draw_gallery(800, 256)
    assert features.shape == (800, 256) and queries.shape == (500, 256)
    unit = features / np.linalg.norm(features, axis=1)[:, None]
    similarities = np.sort(unit @ unit.T, axis=1)[:, ::-1]
    # Oneself, the seven others of the same person, and strangers.
    np.testing.assert_allclose(similarities[:, 0], 1, atol=1e-5)
    assert abs(similarities[:, 1:8].mean() - 0.6) < 0.02
    assert abs(similarities[:, 8:].mean()) < 0.02


def test_table(tool, monkeypatch, capsys, tmp_path):
    """The peak of memory needs processes of their own: here the work runs in this one."""
    kinds = ['local', 'milvus-FLAT']
    pytest.importorskip('pymilvus')

    def peak_memory(build, device, *args, rounds):
        result = build(*args)()
        if hasattr(result, 'close'):
            result.close()
        return 3 * 2**20, 0

    monkeypatch.setattr(tool, 'peak_memory', peak_memory)
    words = ['--number', '400', '--dims', '16', '--rounds', '1', '--batch', '150']
    command = ['x', *words, '--folder', str(tmp_path), '--stores', *reversed(kinds)]
    monkeypatch.setattr(sys, 'argv', command)
    tool.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('400 images of 16 values')
    header, rule, *rows = ([cell.strip() for cell in line.split('|')[1:-1]] for line in lines[-4:])
    assert rule == ['---', *['---:'] * (len(header) - 1)]
    # The exact one comes first, whatever the order on the command line.
    assert [row[0] for row in rows] == kinds
    for row in rows:
        figures = dict(zip(header, row, strict=True))
        assert float(figures['recall@10']) == 1 and figures['open, MiB'] == '3'
        assert all(float(figure) >= 0 for figure in row[1:])
    assert list(tmp_path.iterdir()) == []

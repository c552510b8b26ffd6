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


@pytest.fixture
def stores(tool):
    return importlib.import_module('search_stores')


def test_people_are_as_alike_as_they_should_be(stores):
    gallery = stores.draw_gallery(800, 256)
    assert gallery.features.shape == (800, 256) and gallery.queries.shape == (500, 256)
    assert gallery.features.dtype == gallery.queries.dtype == np.float32
    unit = gallery.features / np.linalg.norm(gallery.features, axis=1)[:, None]
    similarities = np.sort(unit @ unit.T, axis=1)[:, ::-1]
    # Oneself, the seven others of the same person, and strangers.
    np.testing.assert_allclose(similarities[:, 0], 1, atol=1e-5)
    assert abs(similarities[:, 1:8].mean() - 0.6) < 0.02
    assert abs(similarities[:, 8:].mean()) < 0.02
    assert np.array_equal(stores.draw_gallery(800, 256).features, gallery.features)


def test_table(tool, monkeypatch, capsys, tmp_path):
    """The peak of memory needs processes of their own: not here."""
    kinds = ['memory', 'faiss-HNSW32', 'milvus-FLAT']
    pytest.importorskip('faiss')
    pytest.importorskip('pymilvus')
    monkeypatch.setattr(tool, 'peak_memory', lambda build, *args, **options: (3 * 2**20, 0))
    words = ['--number', '400', '--dims', '16', '--rounds', '1', '--batch', '150']
    command = ['x', *words, '--folder', str(tmp_path), '--stores', *reversed(kinds)]
    monkeypatch.setattr(sys, 'argv', command)
    tool.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('400 images of 16 values')
    header, rule, *rows = ([cell.strip() for cell in line.split('|')[1:-1]] for line in lines[-5:])
    assert rule == ['---', *['---:'] * (len(header) - 1)]
    # The exact one comes first, whatever the order on the command line.
    assert [row[0] for row in rows] == kinds
    for row in rows:
        figures = dict(zip(header, row, strict=True))
        assert float(figures['recall@10']) == 1 and figures['open, MiB'] == '3'
        assert all(float(figure) >= 0 for figure in row[1:])
    assert list(tmp_path.iterdir()) == []


def test_work_of_memory_opens_and_searches(stores, tmp_path):
    gallery = stores.draw_gallery(50, 8)
    store = stores.open_gallery('memory', 8, tmp_path / 'new', is_new=True)
    store.add(gallery.features, stores.make_records(50))
    store.close()
    assert len(stores.open_work('memory', 8, str(tmp_path / 'new'))()) == 50
    assert stores.search_work('memory', gallery.queries, str(tmp_path / 'new'))() is None

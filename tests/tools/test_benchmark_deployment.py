import importlib
import re
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from tiny_runs import quick_start, reid_config, write_people
from torch.nn import functional as F

from passreid.apis import build_runner, get_model, prepare_test
from passreid.deployment import ExportableModel

ROOT = Path(__file__).parents[2]
WAYS = ['torch', 'onnxruntime float32', 'onnxruntime int8 (dynamic)']


@pytest.fixture(scope='module')
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp('base')
    with quick_start():
        cfg = reid_config(ROOT, write_people(folder / 'people'), folder / 'run')
        cfg.model.head.num_classes = None
        cfg.dump(folder / 'reid.py')
        torch.manual_seed(3)
        model = build_runner(cfg).model
        model.init_weights()
        torch.save({'state_dict': model.state_dict()}, folder / 'reid.pth')
        yield folder


@pytest.fixture
def run(base, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT / 'tools' / 'benchmarks'))
    threads = torch.get_num_threads()

    def call(*arguments):
        words = ['x', base / 'reid.py', '--rounds', 1, '--threads', 1, '--batch', 4, *arguments]
        monkeypatch.setattr(sys, 'argv', [str(word) for word in words])
        importlib.import_module('benchmark_deployment').main()
        lines = capsys.readouterr().out.splitlines()
        return [re.split(r' *\| *', line)[1:-1] for line in lines if line.startswith('|')]

    yield call
    torch.set_num_threads(threads)


@pytest.mark.slow
def test_table_with_accuracy(run, base):
    cfg = reid_config(ROOT, base / 'people', base / 'run')
    prepare_test(cfg, base / 'reid.pth')
    expected = build_runner(cfg).test()
    header, _, *rows = run('--no-compile', '--accuracy', '--checkpoint', base / 'reid.pth')
    assert header == ['', 'latency, ms', 'images/s', 'MB', 'mAP', 'Rank-1']
    assert [row[0] for row in rows] == WAYS
    for row in rows:
        assert all(float(value) > 0 for value in row[1:4])
    for row in rows[:2]:
        assert float(row[4]) == pytest.approx(expected['reid/mAP'], abs=0.01)
        assert float(row[5]) == pytest.approx(expected['reid/R1'], abs=0.01)


def test_accuracy_needs_weights(run):
    with pytest.raises(SystemExit):
        run('--accuracy')


@pytest.mark.slow
def test_ways_give_the_same_features(base, run, monkeypatch, tmp_path):
    tool = importlib.import_module('benchmark_deployment')
    # The compiled graph, but run without a C++ compiler.
    monkeypatch.setattr(torch, 'compile', partial(torch.compile, backend='eager'))
    model = ExportableModel(get_model(base / 'reid.py'))
    ways = tool.make_ways(model, tmp_path, 1, compiled=True)
    assert len(ways) == 4
    images = model.info.noise(3)
    for way in ways.values():
        assert F.cosine_similarity(way(images), model(images)).min() > 0.99
    assert torch.equal(ways['torch.compile'](images), ways['torch'](images))

import importlib.util
import re
import sys
from pathlib import Path

import pytest
import torch

TOOL = Path(__file__).parents[2] / 'tools' / 'benchmarks' / 'benchmark_views.py'


@pytest.fixture
def benchmark_views(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOL.parent))
    spec = importlib.util.spec_from_file_location('benchmark_views', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_ratios_are_those_of_the_printed_rates(benchmark_views, monkeypatch, capsys):
    threads = torch.get_num_threads()
    sizes = ['--image-size', '64', '32', '--global-size', '64', '32', '--local-size', '32', '16']
    monkeypatch.setattr(sys, 'argv', [str(TOOL), *sizes, '--batch-size', '2', '--rounds', '2'])
    benchmark_views.main()
    torch.set_num_threads(threads)
    printed = capsys.readouterr().out
    rows = re.findall(r'^(worker part|whole .* CPU) +(\d+) +(\d+) +([\d.]+)x$', printed, re.M)
    assert [row[0] for row in rows] == ['worker part', 'whole view path on CPU']
    for _, plain, ours, ratio in rows:
        assert float(ratio) == pytest.approx(float(ours) / float(plain), rel=0.05)


def test_plain_composition_makes_the_same_kinds_of_views(benchmark_views):
    image = benchmark_views.generate_images(1, 64, 32)[0]
    views = benchmark_views.PlainMultiCrop((32, 16), (16, 8), num_parts=2, local_per_part=2)(image)
    assert [tuple(view.shape) for view in views] == [(3, 32, 16)] * 2 + [(3, 16, 8)] * 4

import importlib
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

TOOLS = Path(__file__).parents[2] / 'tools' / 'benchmarks'


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module('benchmark_pretrain')


@pytest.fixture
def setting(tool):
    return tool.Setting('cpu', 'float32', 1, arch='deit-tiny', prototypes=64)


def test_both_sides_compute_the_same(tool, setting):
    of_loss, of_gradients = tool.check_equality(setting)
    assert of_loss < 1e-5
    assert of_gradients < tool.TOLERANCE


@pytest.mark.slow
def test_sides_that_differ_are_refused(tool, setting, monkeypatch):
    head_loss = tool.PlainPASS.head_loss
    monkeypatch.setattr(tool.PlainPASS, 'head_loss', lambda *args: 1.01 * head_loss(*args))
    with pytest.raises(RuntimeError, match=r'loss by 9\.9e-03'):
        tool.check_equality(setting)


@pytest.mark.slow
@pytest.mark.parametrize('part', ['head', 'step'])
def test_prints_times_and_their_ratio(tool, setting, part, capsys):
    sides = {name: (setting, name) for name in ('plain', 'ours')}
    sides['ours, bfloat16'] = (replace(setting, dtype='bfloat16'), 'ours')
    tool.compare_times(sides, part, 'title', rounds=1)
    printed = capsys.readouterr().out
    rows = re.findall(r'^title, ms(.*?) +([\d.]+) +([\d.]+) +([\d.]+)x$', printed, re.M)
    assert [row[0] for row in rows] == ['', ', bfloat16']
    for _, plain, ours, ratio in rows:
        assert float(ratio) == pytest.approx(float(plain) / float(ours), abs=0.02)


def test_peak_memory_counts_what_the_work_adds(tool):
    # Large beside what the libraries take when they are first used, about 8 MB.
    whole, added = tool.peak_memory(partial, 'cpu', torch.ones, 2**26)
    assert added == pytest.approx(2**28, rel=0.1)
    assert whole >= added

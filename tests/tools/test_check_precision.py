import importlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

TOOLS = Path(__file__).parents[2] / 'tools' / 'benchmarks'
SMALL = ['--device', 'cpu', '--height', '64', '--people', '3']


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module('check_precision')


@pytest.fixture
def outcome(tool):
    generator = torch.Generator().manual_seed(0)
    return tool.Outcome(
        losses={'loss': 2.0},
        gradients={
            'backbone.layers.0.attn.qkv.bias': torch.ones(6),
            'backbone.layers.1.ln1.weight': torch.ones(4),
            'backbone.cls_token': torch.ones(4),
            'head.classifier.weight': torch.ones(2, 4),
        },
        features=torch.randn(24, 8, generator=generator),
        states={'centres': torch.zeros(3)},
        depth=2,
    )


def exceeded(tool, found, exact):
    rows = tool.compare(found, exact, torch.arange(24) // 4, torch.bfloat16)
    return {what for what, error, limit in rows if not error <= limit}


def test_the_same_exceeds_nothing(tool, outcome):
    assert exceeded(tool, outcome, outcome) == set()


def test_limit_is_the_rounding_of_all_layers(tool, outcome):
    (limit,) = {
        limit
        for what, _, limit in tool.compare(outcome, outcome, torch.arange(24) // 4, torch.float16)
        if 'relative' in what
    }
    assert limit == pytest.approx(2**-11 * 32**0.5)


@pytest.mark.parametrize(
    ('changes', 'what'),
    [
        (dict(losses={'loss': 2.1}), {'loss, relative'}),
        (dict(losses={'loss': float('nan')}), {'loss, relative'}),
        (
            dict(states={'centres': torch.full((3,), torch.inf)}),
            {'states not finite or not float32'},
        ),
        (dict(states={'centres': torch.zeros(3).half()}), {'states not finite or not float32'}),
    ],
)
def test_what_is_wrong_is_named(tool, outcome, changes, what):
    assert exceeded(tool, replace(outcome, **changes), outcome) == what


@pytest.mark.parametrize(
    ('name', 'group'),
    [
        ('backbone.layers.1.ln1.weight', 'layer 1'),
        ('backbone.cls_token', 'embeddings'),
        ('head.classifier.weight', 'head'),
    ],
)
def test_gradients_are_looked_at_by_group(tool, outcome, name, group):
    found = replace(outcome, gradients=outcome.gradients | {name: 1.1 * outcome.gradients[name]})
    assert tool.gradient_errors(found, outcome)[group] == pytest.approx(0.1, rel=1e-4)
    assert exceeded(tool, found, outcome) == {f'gradient of {group}, relative'}


def test_rounding_of_the_biases_of_keys_does_not_count(tool, outcome):
    name = 'backbone.layers.0.attn.qkv.bias'
    bias = torch.tensor([1.0, 1.0, -7.0, torch.inf, 1.0, 1.0])
    found = replace(outcome, gradients=outcome.gradients | {name: bias})
    assert exceeded(tool, found, outcome) == set()


def test_other_neighbours_are_found(tool, outcome):
    found = replace(outcome, features=outcome.features.flip(0))
    wrong = {'features, relative', 'ten nearest images, swapped', 'mAP, percentage points'}
    assert exceeded(tool, found, outcome) == wrong


@pytest.mark.slow
@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
def test_types_keep_within_the_limits(tool, monkeypatch, capsys, dtype):
    monkeypatch.setattr(sys, 'argv', ['check_precision.py', *SMALL, '--dtypes', dtype])
    with pytest.raises(SystemExit) as ending:
        tool.main()
    assert ending.value.code == 0, capsys.readouterr().out


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_types_keep_within_the_limits_on_a_gpu(tool, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['check_precision.py'])
    with pytest.raises(SystemExit) as ending:
        tool.main()
    assert ending.value.code == 0, capsys.readouterr().out

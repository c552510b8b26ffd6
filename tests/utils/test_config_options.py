import argparse

import pytest
from mmengine.config import Config

from passreid.utils.config_options import add_run_options, apply_run_options, merge_options


@pytest.fixture
def parse():
    parser = argparse.ArgumentParser()
    add_run_options(parser)
    return lambda *options: parser.parse_args(options)


@pytest.fixture
def cfg():
    return Config(
        {
            'model': {'type': 'PASS', 'backbone': {'type': 'PartViT', 'img_size': (256, 128)}},
            'param_scheduler': [{'type': 'MultiStepLR', 'milestones': [20, 40]}],
            'train_dataloader': {'dataset': {'data_root': 'data/lup'}},
            'test_evaluator': {'type': 'ReIDMetric', 'rerank': True, 'query_expansion': {'k': 5}},
            'data_root': 'data/lup',
            'resume': True,
        }
    )


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('1', 1),
        ('[1,2.5]', [1, 2.5]),
        ('True', True),
        ('no', False),
        ('Yes', True),
        ('None', None),
        ('x=y', 'x=y'),
        ('dict(k1=10)', {'k1': 10}),
        ("dict(type='A', sizes=(1, 2), on=True, deep=dict(rate=-1e-4))",)
        + ({'type': 'A', 'sizes': (1, 2), 'on': True, 'deep': {'rate': -1e-4}},),
        # The shell takes quotes away.
        ('dict(type=A,checkpoint=work_dirs/a/b.pth)',)
        + ({'type': 'A', 'checkpoint': 'work_dirs/a/b.pth'},),
        ('[dict(type=A),dict(type=B,x=None)]', [{'type': 'A'}, {'type': 'B', 'x': None}]),
        # Nothing is run.
        ('dict(x=print(1))', {'x': 'print(1)'}),
    ],
)
def test_values_are_parsed(parse, text, value):
    assert parse('--cfg-options', f'a.b={text}').cfg_options == {'a.b': value}


@pytest.mark.parametrize('option', ['model', 'a=dict(k1=10', 'a=dict(10)x'])
def test_malformed_option_ends_the_program(parse, option, capsys):
    with pytest.raises(SystemExit) as caught:
        parse('--cfg-options', option)
    assert caught.value.code == 2
    assert option in capsys.readouterr().err


def test_options_of_runs(parse, cfg):
    options = ('--cfg-options', 'resume=no', 'train_cfg.max_epochs=1')
    apply_run_options(cfg, parse('--work-dir', 'x', '--data-root', 'y', *options))
    assert (cfg.work_dir, cfg.launcher, cfg.train_dataloader.dataset.data_root) == (
        'x',
        'none',
        'y',
    )
    assert cfg.resume is False and cfg.train_cfg == {'max_epochs': 1}
    cfg.test_dataloader = [{'dataset': {'data_root': 'elsewhere'}}]
    with pytest.raises(ValueError, match='--data-root y'):
        apply_run_options(cfg, parse('--data-root', 'y'))


@pytest.mark.parametrize(
    ('key', 'value', 'expected'),
    [
        ('load_from', 'a.pth', 'a.pth'),
        ('model.backbone.depth', 2, 2),
        # A square.
        ('model.backbone.img_size', 224, 224),
        ('param_scheduler.0.milestones', 30, [30]),
        # What the config leaves out is judged by the default of the class.
        ('test_evaluator.topk', 1, (1,)),
        ('test_evaluator.topk', [1, 5], [1, 5]),
        ('test_evaluator.rerank', {'k1': 10}, {'k1': 10}),
        # As in a config that inherits.
        ('test_evaluator.query_expansion', {'alpha': 9}, {'k': 5, 'alpha': 9}),
        ('test_evaluator.query_expansion', {'_delete_': True, 'k': 9}, {'k': 9}),
    ],
)
def test_entries_are_overridden(cfg, key, value, expected):
    merge_options(cfg, {key: value})
    for part in key.split('.'):
        cfg = cfg[int(part)] if part.isdigit() else cfg[part]
    assert (cfg, type(cfg).__name__.replace('ConfigDict', 'dict')) == (
        expected,
        type(expected).__name__,
    )


@pytest.mark.parametrize(
    ('key', 'named'),
    [
        ('modle.type', "'modle'.*did you mean 'model'"),
        ('param_scheduler.3.end', 'param_scheduler.3.end=5'),
        # A variable, whose value has been used.
        ('data_root', "'data_root'"),
    ],
)
def test_keys_that_lead_nowhere(cfg, key, named):
    with pytest.raises(ValueError, match=f'--cfg-options.*{named}'):
        merge_options(cfg, {key: 5})

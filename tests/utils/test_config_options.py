import argparse

import pytest
from mmengine.config import Config

from passreid.utils.config import dataloader_configs
from passreid.utils.config_options import ConfigOptions, merge_options, override_data_root


@pytest.fixture
def parser():
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions)
    return parser


def _config():
    return Config(
        {
            'model': {'type': 'PASS', 'backbone': {'depth': 12}},
            'param_scheduler': [{'type': 'LinearLR', 'end': 10}],
            'train_dataloader': {'dataset': {'data_root': 'data/lup'}},
            'data_root': 'data/lup',
            'note': 'kept for a hook',
        }
    )


def test_values_are_parsed(parser):
    args = parser.parse_args(['--cfg-options', 'a.b=1', 'c=[1,2.5]', 'd=True', 'e=x=y'])
    assert args.cfg_options == {'a.b': 1, 'c': [1, 2.5], 'd': True, 'e': 'x=y'}


@pytest.mark.parametrize('option', ['model', '=3', ''])
def test_malformed_option_ends_the_program(parser, option, capsys):
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(['--cfg-options', option])
    assert caught.value.code == 2
    assert f'--cfg-options: {option!r} is not of the form KEY=VALUE' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('dict(k1=10)', {'k1': 10}),
        ('{"k1": 10, k2: 6}', {'k1': 10, 'k2': 6}),
        ("dict(type='A', sizes=(1, 2), on=True, deep=dict(rate=-1e-4))",)
        + ({'type': 'A', 'sizes': (1, 2), 'on': True, 'deep': {'rate': -1e-4}},),
        # The shell takes quotes away.
        (
            'dict(type=A,checkpoint=work_dirs/a/b.pth)',
            {'type': 'A', 'checkpoint': 'work_dirs/a/b.pth'},
        ),
        ('[dict(type=A),dict(type=B,x=None)]', [{'type': 'A'}, {'type': 'B', 'x': None}]),
    ],
)
def test_dicts_are_parsed(parser, text, value):
    assert parser.parse_args(['--cfg-options', f'a={text}']).cfg_options == {'a': value}


@pytest.mark.parametrize('text', ['dict(k1=10', 'dict(10)x', '{1, 2'])
def test_broken_dict_is_named(parser, text, capsys):
    with pytest.raises(SystemExit):
        parser.parse_args(['--cfg-options', f'a={text}'])
    assert f'a={text}' in capsys.readouterr().err


def test_nothing_in_a_dict_is_run(parser, tmp_path):
    options = f'a=dict(x=__import__("os").mkdir("{tmp_path}/trap"))'
    assert isinstance(parser.parse_args(['--cfg-options', options]).cfg_options['a']['x'], str)
    assert not (tmp_path / 'trap').exists()


def test_entries_are_overridden():
    cfg = _config()
    merge_options(cfg, {'model.backbone.depth': 2, 'param_scheduler.0.end': 5})
    assert cfg.model == {'type': 'PASS', 'backbone': {'depth': 2}}
    assert cfg.param_scheduler == [{'type': 'LinearLR', 'end': 5}]


def test_arguments_of_the_runner_can_be_added():
    cfg = _config()
    merge_options(cfg, {'train_cfg.max_epochs': 1, 'load_from': 'a.pth', 'sync_bn': 'torch'})
    assert cfg.train_cfg == {'max_epochs': 1}
    assert (cfg.load_from, cfg.sync_bn) == ('a.pth', 'torch')


def test_misspelt_key_is_an_error_with_a_hint():
    cfg = _config()
    with pytest.raises(ValueError, match="no entry 'modle'; did you mean 'model'"):
        merge_options(cfg, {'note': 'new', 'modle.type': 'X'})
    assert cfg.note == 'kept for a hook'


def test_index_beyond_a_list_is_named():
    with pytest.raises(ValueError, match='--cfg-options param_scheduler.3.end=5'):
        merge_options(_config(), {'param_scheduler.3.end': 5})


def test_variable_without_effect_is_an_error_naming_the_places():
    with pytest.raises(ValueError, match=r'instead: train_dataloader\.dataset\.data_root$'):
        merge_options(_config(), {'data_root': '/other'})


def test_entry_that_only_the_user_reads_can_be_overridden():
    cfg = _config()
    merge_options(cfg, {'note': 'new'})
    assert cfg.note == 'new'


def _reid_config(*roots):
    return Config(
        {
            'train_dataloader': {'dataset': {'data_root': roots[0]}},
            'test_dataloader': [{'dataset': {'data_root': root}} for root in roots],
        }
    )


def test_data_root_reaches_every_loader():
    cfg = _reid_config('data/a', 'data/a')
    override_data_root(cfg, 'elsewhere')
    assert [loader.dataset.data_root for loader in dataloader_configs(cfg)] == ['elsewhere'] * 3


@pytest.mark.parametrize('cfg', [_reid_config('data/a', 'data/b'), _reid_config(None)])
def test_data_root_must_be_of_one_data_set(cfg):
    with pytest.raises(ValueError, match='--data-root x does not say which'):
        override_data_root(cfg, 'x')


def _merged(key, value):
    """Override one entry of a config of training and return it."""
    cfg = Config(
        {
            'model': {'backbone': {'type': 'PartViT', 'img_size': (256, 128), 'norm': 'no'}},
            'train_dataloader': {'pin_memory': True, 'sampler': {'shuffle': True}},
            'param_scheduler': [{'type': 'MultiStepLR', 'milestones': [20, 40]}],
            'test_evaluator': {'type': 'ReIDMetric', 'query_expansion': {'k': 5, 'alpha': 1}},
            'auto_scale_lr': {'enable': True},
            'resume': True,
        }
    )
    merge_options(cfg, {key: value})
    for part in key.split('.'):
        cfg = cfg[int(part)] if part.isdigit() else cfg[part]
    return cfg


@pytest.mark.parametrize(
    'key',
    [
        'auto_scale_lr.enable',
        'resume',
        'tensorboard',
        'train_dataloader.pin_memory',
        'train_dataloader.drop_last',
        'train_dataloader.sampler.shuffle',
        'model.backbone.with_cp',
        'test_evaluator.rerank',
    ],
)
def test_words_as_switches(key):
    for word, meaning in {
        'no': False,
        'Off': False,
        'FALSE': False,
        'yes': True,
        'on': True,
    }.items():
        assert _merged(key, word) is meaning


def test_words_stay_words_where_text_stands():
    assert _merged('model.backbone.norm', 'off') == 'off'
    assert _merged('resume', 'auto') == 'auto'
    assert _merged('optim_wrapper.amp', 'bfloat16') == 'bfloat16'


@pytest.mark.parametrize(
    'key', ['train_dataloader.sampler.shuffle', 'model.backbone.with_cp', 'auto_scale_lr.enable']
)
def test_other_words_are_no_switches(key):
    with pytest.raises(ValueError, match=f"{key} is 'nope'"):
        _merged(key, 'nope')


@pytest.mark.parametrize(
    ('key', 'value', 'expected'),
    [
        ('param_scheduler.0.milestones', 30, [30]),
        # What the config leaves out is judged by the default of the class.
        ('test_evaluator.topk', 1, (1,)),
        ('test_evaluator.tpr_at_fpr', 1e-4, (1e-4,)),
        ('test_evaluator.topk', [1, 5], [1, 5]),
        # A square.
        ('model.backbone.img_size', 224, 224),
        ('model.backbone.num_parts', 0, 0),
    ],
)
def test_one_value_where_a_list_belongs(key, value, expected):
    found = _merged(key, value)
    assert (found, type(found)) == (expected, type(expected))


def test_dict_in_the_place_of_anything():
    assert _merged('test_evaluator.rerank', {'k1': 10}) == {'k1': 10}
    assert _merged('resume', {'k1': 10}) == {'k1': 10}
    # As in a config that inherits.
    assert _merged('test_evaluator.query_expansion', {'k': 9}) == {'k': 9, 'alpha': 1}
    assert _merged('test_evaluator.query_expansion', {'_delete_': True, 'k': 9}) == {'k': 9}


def test_words_and_lists_inside_of_dicts():
    metric = {'type': 'ReIDMetric', 'rerank': 'no', 'per_camera': 'Yes', 'topk': 1}
    expected = {'type': 'ReIDMetric', 'rerank': False, 'per_camera': True, 'topk': (1,)}
    assert _merged('val_evaluator', metric) == expected
    assert _merged('val_evaluator', [metric, {'type': 'DumpResults'}])[0] == expected
    assert _merged('train_dataloader.sampler', {'shuffle': 'off'}) == {'shuffle': False}
    with pytest.raises(ValueError, match=r"val_evaluator\.per_camera is 'nope'"):
        _merged('val_evaluator', metric | {'per_camera': 'nope'})

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

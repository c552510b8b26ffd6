"""Configs with mistakes, and files that are none."""

import copy
import os
import runpy
import sys
from pathlib import Path

import mmpretrain
import pytest
from mmengine.config import Config
from reid_run import quick_start, reid_config, write_people

from passreid.apis import build_runner, load_config
from passreid.utils.config import likely_misspelt
from passreid.utils.config_options import merge_options

AREA = 'hostile input'
ROOT = Path(__file__).parents[2]
# Entry by dotted key, what is written there, and what the message must name.
VALUES = [
    ('model', None, 'model'),
    ('model.backbone.type', 'PartVit', 'PartVit'),
    ('model.backbone.num_part', 3, 'num_part'),
    ('optim_wrapper.optimizer.momentun', 0.9, 'momentun'),
    ('auto_scale_lr.enable', 'maybe', 'auto_scale_lr.enable'),
    ('resume', 'maybe', 'resume'),
    ('runner_type', 'FlexibleRunner', 'runner_type.*FlexibleRunner'),
    ('activation_checkpointing', ['backbone'], 'activation_checkpointing.*with_cp'),
    ('train_dataloader.batch_size', 0, 'batch_size'),
    ('train_cfg.max_epochs', 'many', 'many'),
    ('train_dataloader.dataset.split', 'trian', 'split.*trian'),
    ('train_dataloader.dataset.max_bad_share', 2, 'max_bad_share'),
    ('train_dataloader.dataset.data_root', '/nowhere', 'Market1501.*/nowhere'),
    ('val_evaluator.metric', 'manhattan', 'metric.*manhattan'),
    ('train_dataloader.sampler.images_per_id', 3, 'images_per_id=3'),
]


@pytest.fixture(scope='module')
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp('people')
    return reid_config(ROOT, write_people(folder), folder / 'run', train_cfg__max_epochs=1)


@pytest.fixture
def start(base):
    """Build and train what a config says."""

    def run(change):
        cfg = copy.deepcopy(base)
        change(cfg)
        with quick_start():
            build_runner(cfg).train()

    return run


def holder(cfg, key):
    """Return what holds a dotted key, and its last part."""
    *path, last = key.split('.')
    for part in path:
        cfg = cfg[int(part)] if part.isdigit() else cfg[part]
    return cfg, last


def put(key, value):
    def change(cfg):
        entry, last = holder(cfg, key)
        entry[last] = value

    return change


@pytest.mark.parametrize(('key', 'value', 'message'), VALUES)
def test_wrong_values(start, tried, key, value, message):
    errors = (ValueError, TypeError, KeyError, AssertionError, FileNotFoundError)
    with pytest.raises(errors, match=message):
        start(put(key, value))
    tried(AREA, 'configs: wrong values', 'refused: named the entry')


def test_configs_of_mmpretrain(tried):
    others = Path(mmpretrain.__file__).parent / '.mim' / 'configs'
    number = 0
    for path in sorted(others.rglob('*.py'))[::7]:
        try:
            cfg = Config.fromfile(path)
        # Some ask for packages that are not there.
        except Exception:
            continue
        assert likely_misspelt(cfg) == [], path
        number += 1
    assert number > 60
    tried(AREA, 'configs: variables of published ones', 'allowed', number)


@pytest.mark.parametrize('kind', ['folder', 'pipe', 'nothing', 'dangling link'])
def test_paths_that_are_no_file(tmp_path, tried, kind):
    path = tmp_path / 'a.py'
    {
        'folder': path.mkdir,
        'pipe': lambda: os.mkfifo(path),
        'nothing': lambda: None,
        'dangling link': lambda: path.symlink_to('none'),
    }[kind]()
    with pytest.raises(FileNotFoundError, match=f'no config file {path}'):
        load_config(path)
    tried(AREA, 'configs: files that are none', 'refused: named the file')


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'modle.type': 'X'}, "no entry 'modle'; did you mean 'model'"),
        ({'trian_cfg.max_epochs': 3}, "did you mean 'train_cfg'"),
        ({'param_scheduler.9.end': 3}, 'param_scheduler.9.end'),
        ({'param_scheduler.x.end': 3}, 'param_scheduler.x.end'),
        ({'model.type.x.y': 3}, r'model\.type\.x\.y'),
        ({'zzzzz': 3}, "no entry 'zzzzz'"),
    ],
)
def test_options_that_lead_nowhere(base, tried, options, message):
    with pytest.raises(ValueError, match=message):
        merge_options(copy.deepcopy(base), options)
    tried(AREA, 'configs: --cfg-options that lead nowhere', 'refused: named the option')


@pytest.mark.parametrize('option', ['model', '=3', '', 'a b'])
@pytest.mark.parametrize('name', ['train', 'test'])
def test_options_that_are_none(tmp_path, tried, capsys, monkeypatch, option, name):
    words = ['a.py'] + ['a.pth'] * (name == 'test') + ['--cfg-options', option]
    monkeypatch.setattr(sys, 'argv', [f'{name}.py', *words])
    with pytest.raises(SystemExit):
        runpy.run_path(str(ROOT / 'tools' / f'{name}.py'), run_name='__main__')
    assert f'{option!r} is not of the form KEY=VALUE' in capsys.readouterr().err
    tried(AREA, 'configs: --cfg-options that lead nowhere', 'refused: named the option')

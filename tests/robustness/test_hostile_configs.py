"""Configs with mistakes, and files that are none."""

import copy
import os
import runpy
import sys
from pathlib import Path

import mmpretrain
import pytest
from tiny_runs import quick_start, reid_config, write_people

from passreid.apis import build_runner, load_config
from passreid.utils.config_error import ConfigError
from passreid.utils.config_file import read_config
from passreid.utils.config_keys import check_top_level
from passreid.utils.config_options import merge_options

AREA = 'hostile input'
ROOT = Path(__file__).parents[2]
HINT = 'configs: {} misspelt'
# Entry by dotted key, what is written there, and what the message must say.
TYPES = [
    ('model.backbone.type', 'PartVit', "did you mean 'PartViT'?"),
    ('model.backbone.type', 'passreid.partvit', "did you mean 'PartViT'?"),
    ('model.backbone.type', 'mmpretrain.VisionTransfomer', "did you mean 'VisionTransformer'?"),
    ('model.type', 'ImageClasifier', "did you mean 'ImageClassifier'?"),
    ('model.head.type', 'ReidHead', "did you mean 'ReIDHead'?"),
    ('train_dataloader.dataset.type', 'Market1510', "did you mean 'Market1501'?"),
    ('train_dataloader.sampler.type', 'IdentitySampler2', "did you mean 'IdentitySampler'?"),
    (
        'train_dataloader.dataset.pipeline.0.type',
        'LoadPersonImg',
        "did you mean 'LoadPersonImage'?",
    ),
    ('train_dataloader.dataset.pipeline.1.type', 'resise', "did you mean 'Resize'?"),
    ('optim_wrapper.optimizer.type', 'SDG', "did you mean 'SGD'?"),
    ('default_hooks.logger.type', 'LogerHook', "did you mean 'LoggerHook'?"),
    ('default_hooks.checkpoint.type', 'CheckPointHook', "did you mean 'CheckpointHook'?"),
    ('param_scheduler.0.type', 'WarmupCosinLR', "did you mean 'WarmupCosineLR'?"),
    ('val_evaluator.type', 'ReIDMetrics', "did you mean 'ReIDMetric'?"),
    ('train_cfg.type', 'ResumableEpochLop', "did you mean 'ResumableEpochLoop'?"),
    ('model.backbone.type', 'Zzzzz', 'registered by custom_imports'),
]
ARGUMENTS = [
    ('model.backbone.num_part', 3, "PartViT has no argument 'num_part' (model.backbone)"),
    ('model.backbone.num_part', 3, "did you mean 'num_parts'?"),
    ('model.head.in_channel', 16, "did you mean 'in_channels'?"),
    ('train_dataloader.num_worker', 1, "DataLoader has no argument 'num_worker'"),
    ('train_dataloader.dataset.data_rot', 'x', "did you mean 'data_root'?"),
    ('train_dataloader.sampler.image_per_id', 2, "did you mean 'images_per_id'?"),
    ('train_dataloader.dataset.pipeline.0.max_pixel', 2, "did you mean 'max_pixels'?"),
    ('optim_wrapper.optimizer.momentun', 0.9, "did you mean 'momentum'?"),
    ('optim_wrapper.accumulative_count', 2, "has no argument 'accumulative_count'"),
    ('default_hooks.logger.intervall', 1, "did you mean 'interval'?"),
    ('param_scheduler.0.Tmax', 1, "did you mean 'T_max'?"),
    ('val_evaluator.reranking', True, "did you mean 'rerank'?"),
    ('train_cfg.max_epoch', 1, "did you mean 'max_epochs'?"),
    ('model.backbone.zzzzz', 1, "PartViT has no argument 'zzzzz' (model.backbone)"),
]
MISSING = [
    ('model.head.in_channels', "ReIDHead needs 'in_channels' (model.head)"),
    ('model.backbone.type', 'an entry has no `type` (model.backbone)'),
    ('train_dataloader.dataset.data_root', "needs 'data_root'|missing"),
    ('train_dataloader.dataset', 'train_dataloader has no dataset'),
    ('model', 'has no `model`'),
]
TOP = {
    'trian_dataloader': 'train_dataloader',
    'train_dataloaders': 'train_dataloader',
    'test_dataloder': 'test_dataloader',
    'val_evalutor': 'val_evaluator',
    'load_form': 'load_from',
    'resmue': 'resume',
    'modle': 'model',
    'optim_wraper': 'optim_wrapper',
    'param_schedulers': 'param_scheduler',
    'default_hook': 'default_hooks',
    'custom_hoooks': 'custom_hooks',
    'work_dirs': 'work_dir',
    'randomnes': 'randomness',
    'auto_scale_Ir': 'auto_scale_lr',
}
VALUES = [
    ('train_dataloader.batch_size', 'three', 'batch_size is'),
    ('train_dataloader.batch_size', 0, 'batch_size is 0'),
    ('train_dataloader.batch_size', 2.5, 'batch_size is 2.5'),
    ('train_dataloader.num_workers', -1, 'num_workers is -1'),
    ('train_dataloader', [], 'train_dataloader is'),
    ('train_dataloader', 'x', 'train_dataloader is'),
    ('train_dataloader.dataset', 'Market1501', 'dataset is'),
    ('train_cfg.max_epochs', 'many', 'max_epochs is'),
    ('train_cfg.max_epochs', -1, 'max_epochs is -1'),
    ('model', 'PartViT', 'model'),
    ('train_dataloader.dataset.split', 'trian', "split must be .*, but is 'trian'"),
    ('train_dataloader.dataset.max_bad_share', 2, 'max_bad_share must lie between 0 and 1'),
    ('train_dataloader.dataset.data_root', '/nowhere', 'Market1501 not found in /nowhere'),
    ('val_evaluator.metric', 'manhattan', "metric must be .*, but is 'manhattan'"),
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


@pytest.mark.parametrize(('key', 'value', 'message'), TYPES)
def test_unknown_types(start, tried, key, value, message):
    with pytest.raises(ConfigError) as caught:
        start(put(key, value))
    assert message in str(caught.value)
    assert key.removesuffix('.type') in str(caught.value)
    tried(AREA, HINT.format('types'), 'refused: named the place and the nearest type')


@pytest.mark.parametrize(('key', 'value', 'message'), ARGUMENTS)
def test_unknown_arguments(start, tried, key, value, message):
    with pytest.raises(ConfigError) as caught:
        start(put(key, value))
    assert message in str(caught.value)
    assert f'({key.rpartition(".")[0]})' in str(caught.value)
    tried(AREA, HINT.format('arguments'), 'refused: named the class, the place, the nearest')


@pytest.mark.parametrize(('key', 'message'), MISSING)
def test_missing_entries(start, tried, key, message):
    def remove(cfg):
        entry, last = holder(cfg, key)
        entry.pop(last)

    with pytest.raises((ConfigError, ValueError), match=None) as caught:
        start(remove)
    assert any(part in str(caught.value) for part in message.split('|'))
    tried(AREA, 'configs: entries missing', 'refused: named what is missing')


@pytest.mark.parametrize('key', TOP)
def test_top_level_entries_that_nothing_reads(start, tried, key):
    with pytest.raises(ConfigError, match=f"{key!r} that nothing reads: did you mean '{TOP[key]}'"):
        start(put(key, {}))
    tried(AREA, HINT.format('entries at the top'), 'refused: named the nearest')


@pytest.mark.parametrize(('key', 'value', 'message'), VALUES)
def test_wrong_values(start, tried, key, value, message):
    with pytest.raises((ValueError, TypeError, FileNotFoundError), match=message):
        start(put(key, value))
    tried(AREA, 'configs: wrong values', 'refused: named the entry')


def test_value_of_a_wrong_kind_inside_a_constructor(start, tried, capfd):
    with pytest.raises(TypeError):
        start(put('model.backbone.num_parts', 'three'))
    assert 'PartViT of the config could not be built (model.backbone)' in capfd.readouterr().out
    tried(AREA, 'configs: wrong values', 'own error; the log names the place')


def test_configs_of_the_repository_and_of_mmpretrain(tried):
    others = Path(mmpretrain.__file__).parent / '.mim' / 'configs'
    number = 0
    for path in [*(ROOT / 'configs').rglob('*.py'), *sorted(others.rglob('*.py'))[::7]]:
        try:
            cfg = read_config(path)
        # Some of mmpretrain's ask for packages that are not there.
        except (ConfigError, FileNotFoundError):
            continue
        check_top_level(cfg)
        number += 1
    assert number > 100
    tried(AREA, 'configs: variables of published ones', 'allowed', number)


FILES = {
    'syntax': ('a.py', 'a = (', ConfigError),
    'error inside': ('a.py', 'a = 1 / 0', ConfigError),
    'import of nothing': ('a.py', 'import no_such_module', ConfigError),
    'zero bytes': ('a.py', 'a = \0', ConfigError),
    'JSON': ('a.json', '{"a"', ConfigError),
    'deep JSON': ('a.json', '[' * 100_000, ConfigError),
    'YAML': ('a.yaml', 'a: [', ConfigError),
    'YAML with code': ('a.yaml', '!!python/object/apply:os.mkdir ["TRAP"]', ConfigError),
    'YAML with a module': ('a.yml', 'a: !!python/module:os', ConfigError),
    'YAML with an object': ('a.yml', 'a: !!python/object/new:os.mkdir ["TRAP"]', ConfigError),
    'text': ('a.txt', 'a = 1', ConfigError),
    'missing base': ('a.py', "_base_ = './none.py'", FileNotFoundError),
    'base of another kind': ('a.py', '_base_ = 3', ConfigError),
    'itself': ('a.py', "_base_ = './a.py'", ConfigError),
    'bases that contradict': ('a.py', "_base_ = ['./b.py', './c.py']", ConfigError),
    'unknown base variable': ('a.py', "_base_ = './b.py'\nx = {{_base_.nothing}}", ConfigError),
    'nothing': ('a.py', '', ConfigError),
}


@pytest.mark.parametrize('case', FILES)
def test_files_that_are_no_config(tmp_path, tried, case):
    name, text, kind = FILES[case]
    (tmp_path / 'b.py').write_text('x = 1')
    (tmp_path / 'c.py').write_text('x = 2')
    (tmp_path / name).write_text(text.replace('TRAP', str(tmp_path / 'trap')))
    with pytest.raises(kind) as caught:
        build_runner(tmp_path / name)
    assert name in str(caught.value)
    assert not (tmp_path / 'trap').exists()
    tried(AREA, 'configs: files that are none', 'refused: named the file, nothing run')


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

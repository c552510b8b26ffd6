import pytest
from mmengine.config import Config

from passreid.utils import config_path
from passreid.utils.config import keys_read, likely_misspelt, read_switches, suggestion


@pytest.mark.parametrize(
    ('word', 'name'),
    [
        ('trian_dataloader', 'train_dataloader'),
        ('train_dataloaders', 'train_dataloader'),
        ('load_form', 'load_from'),
        ('modle', 'model'),
        ('resmue', 'resume'),
        ('eval_cfg', 'val_cfg'),
        ('costum_hooks', 'custom_hooks'),
        ('auto_scale_Ir', 'auto_scale_lr'),
    ],
)
def test_misspelt_entries_at_the_top(word, name):
    (said,) = likely_misspelt(Config({'model': {}, word: 1}))
    assert repr(word) in said and repr(name) in said


@pytest.mark.parametrize(
    'word',
    [
        'data_root',
        'num_ids',
        'optimizer',
        'train_pipeline',
        'train_dataset',
        'gallery_dataloader',
        'lr',
        'data_preprocessor',
        'runner_type',
    ],
)
def test_variables_may_be_called_anything_else(word):
    assert likely_misspelt(Config({'model': {}, word: 1})) == []


@pytest.mark.parametrize(
    ('name', 'key', 'meant'),
    [('env_cfg', 'cudnn_benchmrk', 'cudnn_benchmark'), ('auto_scale_lr', 'enabled', 'enable')],
)
def test_entries_that_mmengine_would_pass_over(name, key, meant):
    (said,) = likely_misspelt(Config({'model': {}, name: {key: True, meant: True}}))
    assert f'{name}.{key}' in said and repr(meant) in said
    assert likely_misspelt(Config({'model': {}, name: {meant: True}})) == []


def test_configs_of_the_package():
    paths = [path for path in config_path().rglob('*.py') if '_base_' not in path.parts]
    assert len(paths) >= 20
    for path in paths:
        assert likely_misspelt(Config.fromfile(path)) == []


def test_suggestion():
    assert suggestion('enabled', ['enable', 'base_batch_size']) == "; did you mean 'enable'?"
    assert suggestion('zzz', keys_read()) == suggestion('x', []) == ''


ENTRIES = [
    'resume',
    'compile',
    'tensorboard',
    'auto_scale_lr.enable',
    'env_cfg.cudnn_benchmark',
    'train_dataloader.pin_memory',
    'test_dataloader.1.persistent_workers',
]


def config(key, value):
    cfg = Config({'auto_scale_lr': {}, 'env_cfg': {}, 'train_dataloader': {}})
    cfg.test_dataloader = [{}, {}]
    cfg.merge_from_dict({key: value})
    return cfg


def entry(cfg, key):
    for part in key.split('.'):
        cfg = cfg[int(part)] if part.isdigit() else cfg[part]
    return cfg


@pytest.mark.parametrize('key', ENTRIES)
def test_words_of_a_config_file_as_switches(key):
    for word, meaning in {'no': False, 'Off': False, 'yes': True, 'TRUE': True}.items():
        cfg = config(key, word)
        read_switches(cfg)
        assert entry(cfg, key) is meaning


@pytest.mark.parametrize('key', ENTRIES)
def test_other_words_are_no_switches(key):
    name = key.replace('.1', '')
    with pytest.raises(ValueError, match=f"{name} is 'maybe'"):
        read_switches(config(key, 'maybe'))


@pytest.mark.parametrize(
    ('key', 'value'), [('resume', 'auto'), ('compile', {'mode': 'x'}), ('load_from', 'no')]
)
def test_what_is_no_word_stays(key, value):
    cfg = config(key, value)
    read_switches(cfg)
    assert cfg[key] == value


def test_words_where_a_class_wants_true_or_false():
    backbone = {'type': 'PartViT', 'with_cp': 'no', 'arch': 'off'}
    metric = {'type': 'ReIDMetric', 'rerank': 'no'}
    cfg = Config({'model': {'type': 'PASS', 'backbone': backbone}, 'val_evaluator': [metric]})
    read_switches(cfg)
    assert cfg.model.backbone.with_cp is False
    assert cfg.model.backbone.arch == 'off'
    assert cfg.val_evaluator[0].rerank is False
    cfg.model.backbone.with_cp = 'perhaps'
    with pytest.raises(ValueError, match=r'model\.backbone\.with_cp.*perhaps'):
        read_switches(cfg)

import pytest
from mmengine.config import Config

from passreid.utils import config_path
from passreid.utils.config import keys_read, likely_misspelt, suggestion


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

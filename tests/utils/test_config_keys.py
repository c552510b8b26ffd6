import pytest
from mmengine.config import Config

from passreid.utils import config_path
from passreid.utils.config_error import ConfigError
from passreid.utils.config_keys import check_top_level, is_slip, keys_read, suggestion


@pytest.mark.parametrize(
    ('word', 'name'),
    [
        ('trian_dataloader', 'train_dataloader'),
        ('train_dataloaders', 'train_dataloader'),
        ('load_form', 'load_from'),
        ('modle', 'model'),
        ('eval_cfg', 'val_cfg'),
        ('costum_hooks', 'custom_hooks'),
    ],
)
def test_slips(word, name):
    assert is_slip(word, name)
    with pytest.raises(ConfigError, match=f"entry {word!r} that nothing reads: .* mean '{name}'"):
        check_top_level(Config({'model': {}, word: 1}))


@pytest.mark.parametrize(
    'word',
    [
        'data_root',
        'num_ids',
        'optimizer',
        'train_pipeline',
        'train_dataset',
        'test_dataloader2',
        'test_dataloader_market',
        'base_test_dataloader',
        'val_cfg',
        'tta_cfg',
        'lr',
        'data_preprocessor',
    ],
)
def test_variables_may_be_called_anything_else(word):
    assert not any(is_slip(word, name) for name in keys_read())
    check_top_level(Config({'model': {}, word: 1}))


@pytest.mark.parametrize(
    ('name', 'key', 'meant'),
    [('env_cfg', 'cudnn_bench', 'cudnn_benchmark'), ('auto_scale_lr', 'enabled', 'enable')],
)
def test_entries_that_mmengine_would_pass_over(name, key, meant):
    with pytest.raises(ConfigError, match=f"{name} has no entry {key!r}; did you mean '{meant}'"):
        check_top_level(Config({'model': {}, name: {key: True, meant: True}}))
    check_top_level(Config({'model': {}, name: {meant: True}}))


def test_configs_of_the_package():
    paths = [path for path in config_path().rglob('*.py') if '_base_' not in path.parts]
    assert len(paths) >= 20
    for path in paths:
        check_top_level(Config.fromfile(path))


def test_suggestion_ignores_case_and_guesses_nothing_far():
    assert suggestion('PARTVIT', ['PASS', 'PartViT']) == "; did you mean 'PartViT'?"
    assert suggestion('reranking', ['rerank', 'topk']) == "; did you mean 'rerank'?"
    assert suggestion('zzz', ['rerank', 'topk']) == suggestion('x', []) == ''

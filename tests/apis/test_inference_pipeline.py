import pytest
from mmengine.config import Config

from passreid.apis.inference_pipeline import inference_pipeline
from passreid.engine import PseudoLabelHook
from passreid.utils import config_path


def resize(cfg):
    (step,) = (step for step in inference_pipeline(cfg) if step['type'] == 'Resize')
    return step['scale'], step['interpolation']


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('supervised/vit-s16_market1501-384x128.py', ((128, 384), 'bilinear')),
        # Several test sets.
        ('supervised/vit-s16_market1501-256x128_cross-domain.py', ((128, 256), 'bilinear')),
        # No test set, but the pipeline that clusters.
        ('usl/usl_vit-s16_folder.py', ((128, 256), 'bicubic')),
        # Pre-training with and without a validation.
        ('pass/pass_vit-t8-watched_synthetic.py', ((32, 64), 'bilinear')),
        ('pass/pass_vit-s16_lup.py', ((128, 256), 'bilinear')),
    ],
)
def test_of_our_configs(name, expected):
    cfg = Config.fromfile(config_path(name))
    assert resize(cfg) == expected
    types = [step['type'] for step in inference_pipeline(cfg)]
    assert (types[0], types[-1]) == ('LoadPersonImage', 'PackInputs')


def test_validation_of_a_config_without_a_test():
    own = [dict(type='LoadPersonImage'), dict(type='PackInputs')]
    cfg = Config(dict(model={}, val_dataloader=dict(dataset=dict(pipeline=own))))
    assert inference_pipeline(cfg) == own


@pytest.mark.parametrize('kind', ['PseudoLabelHook', 'passreid.PseudoLabelHook', PseudoLabelHook])
@pytest.mark.parametrize('place', ['default_hooks', 'custom_hooks'])
def test_hook_that_clusters(kind, place):
    own = [dict(type='LoadPersonImage'), dict(type='PackInputs')]
    hooks = {'timer': dict(type='IterTimerHook'), 'own': dict(type=kind, pipeline=own)}
    hooks = hooks if place == 'default_hooks' else list(hooks.values())
    assert inference_pipeline(Config({'model': {}, place: hooks})) == own


def test_square_images():
    cfg = Config(dict(model=dict(backbone=dict(img_size=96))))
    assert resize(cfg) == ((96, 96), 'bilinear')


def test_config_that_says_nothing():
    with pytest.raises(ValueError, match=r'no test_dataloader.*and no model\.backbone\.img_size'):
        inference_pipeline(Config(dict(model=dict(backbone={}))))


def test_config_is_not_changed():
    cfg = Config.fromfile(config_path('supervised/vit-s16_market1501-256x128.py'))
    inference_pipeline(cfg)[1]['scale'] = (1, 1)
    assert resize(cfg) == ((128, 256), 'bilinear')

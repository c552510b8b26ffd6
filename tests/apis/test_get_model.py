import pytest
from mmengine.config import Config
from mmpretrain.models import ImageClassifier
from tiny_runs import ARCH, reid_config

from passreid import get_model
from passreid.models import PASS, ClusterContrast
from passreid.utils import config_path


def small_config(tmp_path, **changes):
    return reid_config(config_path().parent, tmp_path / 'people', tmp_path / 'work', **changes)


def test_name_of_the_zoo():
    model = get_model('pass-supervised_vit-t8_synthetic')
    assert isinstance(model, ImageClassifier) and not model.training
    assert model.head.classifier is None
    assert model._metainfo.name == 'pass-supervised_vit-t8_synthetic'
    assert model._config.test_dataloader.dataset.type == 'SyntheticReID'


@pytest.mark.parametrize(
    ('config', 'kind'),
    [
        ('pass/pass_vit-t8_synthetic.py', PASS),
        ('usl/usl_vit-t8_synthetic.py', ClusterContrast),
        # Several test sets, and none: mmpretrain.get_model takes neither.
        ('supervised/vit-s16_joint-256x128.py', ImageClassifier),
        ('usl/usl_vit-s16_folder.py', ClusterContrast),
    ],
)
def test_config_file(config, kind):
    model = get_model(config_path(config), backbone=dict(arch='deit-tiny'))
    assert isinstance(model, kind)
    assert model._config.filename == str(config_path(config))


def test_config_is_not_changed_by_overrides(tmp_path):
    cfg = small_config(tmp_path, pretrained=tmp_path / 'none.pth')
    before = Config(cfg.to_dict()).pretty_text
    model = get_model(cfg, backbone=dict(num_parts=1), head=dict(num_parts=1))
    assert cfg.pretty_text == before
    assert len(model.backbone.part_tokens) == model._config.model.backbone.num_parts == 1
    assert model.backbone.embed_dims == ARCH['embed_dims']
    # The file that `init_cfg` names is not there.
    assert model.backbone.cls_token.abs().max() > 0


@pytest.mark.parametrize(
    ('model', 'options', 'error', 'named'),
    [
        ('pass_vit-x', {}, ValueError, 'pass_vit-x'),
        ('none.py', {}, FileNotFoundError, r'none\.py'),
        (Config(dict(train_cfg=None)), {}, ValueError, 'has no `model`'),
        ('pass_vit-s16_lup', dict(pretrained=True), ValueError, 'no weights are published'),
        (None, dict(pretrained='none.pth'), FileNotFoundError, r'none\.pth'),
        (None, dict(backbone=dict(embed_dim=16)), TypeError, 'embed_dim'),
        (None, dict(backbone=dict(type='PartVit')), KeyError, 'PartVit'),
    ],
)
def test_mistakes_are_named(tmp_path, model, options, error, named):
    with pytest.raises(error, match=named):
        get_model(model or small_config(tmp_path), **options)

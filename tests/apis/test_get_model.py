import numpy as np
import pytest
import torch
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


def test_weights_are_drawn_as_for_a_training_from_scratch(capsys):
    model = get_model(config_path('pass/pass_vit-t8_synthetic.py'))
    student, teacher = model.backbone.state_dict(), model.teacher['backbone'].state_dict()
    for name, value in student.items():
        assert torch.equal(teacher[name], value), name
    for name in ('cls_token', 'pos_embed', 'part_tokens.2', 'part_positions.0'):
        assert teacher[name].abs().max() > 0, name
    assert 'cls_token' not in capsys.readouterr().out


def test_pretrained_weights_of_the_config_are_not_asked_for(tmp_path):
    cfg = small_config(tmp_path, pretrained=tmp_path / 'none.pth')
    backbone = get_model(cfg).backbone
    assert backbone.cls_token.abs().max() > 0
    assert backbone.layers[1].ffn.layers[1].weight.std().item() == pytest.approx(0.02, rel=0.2)


def test_config_is_not_changed(tmp_path):
    cfg = small_config(tmp_path, pretrained=tmp_path / 'none.pth')
    before = Config(cfg.to_dict()).pretty_text
    get_model(cfg)
    assert cfg.pretty_text == before


def test_entries_can_be_overridden(tmp_path):
    model = get_model(small_config(tmp_path), backbone=dict(num_parts=1), head=dict(num_parts=1))
    assert len(model.backbone.part_tokens) == 1
    assert model._config.model.backbone.num_parts == 1


def test_preprocessor_of_the_config_is_that_of_the_model(tmp_path):
    cfg = small_config(tmp_path)
    cfg.data_preprocessor = cfg.model.pop('data_preprocessor')
    cfg.data_preprocessor.mean = [1.0, 2.0, 3.0]
    assert get_model(cfg).data_preprocessor.mean.flatten().tolist() == [1.0, 2.0, 3.0]


def test_weights_are_loaded(tmp_path):
    cfg = small_config(tmp_path)
    trained = get_model(cfg, head=dict(num_classes=5))
    for weight in trained.parameters():
        torch.nn.init.normal_(weight)
    torch.save({'state_dict': trained.state_dict()}, tmp_path / 'trained.pth')
    model = get_model(cfg, tmp_path / 'trained.pth')
    images = torch.rand(2, 3, 32, 16)
    with torch.no_grad():
        expected, found = (one.eval()(images, mode='predict') for one in (trained, model))
    for sample, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(sample.feature, other.feature)


def test_weights_of_another_model_are_an_error(tmp_path):
    torch.save({'state_dict': {'stem.weight': torch.zeros(2)}}, tmp_path / 'other.pth')
    with pytest.raises(RuntimeError, match=r'other\.pth'):
        get_model(small_config(tmp_path), tmp_path / 'other.pth')


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.pth'):
        get_model(small_config(tmp_path), tmp_path / 'none.pth')
    with pytest.raises(FileNotFoundError, match=r'none\.py'):
        get_model(tmp_path / 'none.py')


def test_unknown_name():
    with pytest.raises(ValueError, match='"pass_vit-x"'):
        get_model('pass_vit-x')


def test_config_without_a_model():
    with pytest.raises(ValueError, match='has no `model`'):
        get_model(Config(dict(train_cfg=None)))


def test_weights_that_nobody_published():
    with pytest.raises(ValueError, match='no weights are published'):
        get_model('pass_vit-s16_lup', pretrained=True)


def test_arch_is_that_of_the_config(tmp_path):
    assert get_model(small_config(tmp_path)).backbone.embed_dims == ARCH['embed_dims']


def test_mistake_in_the_config_is_named(tmp_path):
    with pytest.raises(TypeError, match='embed_dim'):
        get_model(small_config(tmp_path), backbone=dict(embed_dim=16))
    with pytest.raises(KeyError, match='PartVit'):
        get_model(small_config(tmp_path), backbone=dict(type='PartVit'))

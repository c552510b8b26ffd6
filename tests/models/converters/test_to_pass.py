import argparse

import pytest
import torch
from plain_vits import images, jittered, part_vit

from passreid.models.converters import from_pass_checkpoint, to_pass_checkpoint

HEADS = ['cat_multi', 'cat_single', 'mean_multi', 'mean_single']


def below(data, prefix, new=''):
    return {new + k.removeprefix(prefix): v for k, v in data.items() if k.startswith(prefix)}


def assert_equal(found, expected):
    """Compare nested containers of tensors."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, dict):
            assert_equal(found[name], value)
        else:
            assert torch.equal(found[name], value), name


@pytest.fixture
def container(reference):
    steps = reference('train_steps')
    network = below(steps, 'init/')
    teacher = network | below(steps, 'final_teacher/')
    return {
        'student': {f'module.{name}': value for name, value in network.items()},
        'teacher': teacher,
        'dino_loss': below(steps, 'final_center/'),
    }


def test_pre_training(container):
    assert set(container['dino_loss']) == {'center_cls', 'center_pt1', 'center_pt2', 'center_pt3'}
    saved = container | {'epoch': 3, 'optimizer': {}, 'args': argparse.Namespace()}
    ours = from_pass_checkpoint(saved, 'pretrain')
    assert_equal(to_pass_checkpoint({'state_dict': ours, 'meta': {}}, 'pretrain'), container)
    # Their prototypes are of length 1 however long weight_v is.
    scale = container['teacher']['head.last_layer_pt2.weight_g']
    assert torch.equal(scale, torch.ones(128, 1))


def test_pre_training_without_centres(container):
    del container['dino_loss']
    assert_equal(to_pass_checkpoint(from_pass_checkpoint(container)), container)


def test_bare_backbone_is_the_teachers(container):
    bare = to_pass_checkpoint(from_pass_checkpoint(container), 'backbone')
    assert_equal(bare, below(container['teacher'], 'backbone.'))


@pytest.mark.parametrize('prefix', ['', 'backbone.'])
def test_bare_backbone_of_other_files(reference, prefix):
    bare = below(reference('vit_tiny'), 'sd/')
    ours = below(from_pass_checkpoint(bare), 'backbone.', prefix)
    assert_equal(to_pass_checkpoint(ours, 'backbone'), bare)


@pytest.mark.parametrize('name', HEADS)
def test_supervised(reference, name):
    theirs = below(reference('vit_tiny'), 'sd/', 'base.')
    theirs |= below(reference('reid_head'), f'{name}/sd/')
    ours = from_pass_checkpoint(theirs, 'supervised')
    assert_equal(to_pass_checkpoint({'state_dict': ours}, 'supervised'), theirs)


@pytest.mark.parametrize('name', HEADS)
def test_usl(reference, name):
    theirs = below(reference('vit_tiny'), 'sd/', 'module.')
    theirs |= below(reference('cluster'), f'fusion/{name}/sd/', 'module.')
    ours = from_pass_checkpoint({'state_dict': theirs, 'best_mAP': 0.9}, 'usl')
    assert_equal(to_pass_checkpoint(ours, 'usl'), {'state_dict': theirs})


def test_ics_stem():
    model = part_vit(num_parts=3, stem='ics')
    theirs = to_pass_checkpoint(model.state_dict(), 'backbone')
    assert 'patch_embed.conv.1.IN.weight' in theirs and 'part3_pos' in theirs
    assert_equal(below(from_pass_checkpoint(theirs), 'backbone.'), model.state_dict())


def test_layer_scale_is_merged():
    model = jittered(part_vit(num_parts=3, layer_scale_init_value=0.5))
    theirs = to_pass_checkpoint(model.state_dict(), 'backbone')
    assert not any('gamma' in name for name in theirs)
    plain = part_vit(num_parts=3)
    plain.load_state_dict(theirs, strict=True)
    with torch.no_grad():
        torch.testing.assert_close(plain(images()), model(images()), atol=1e-5, rtol=1e-5)


class TestRefused:
    def test_unknown_kind(self):
        with pytest.raises(ValueError, match="kind='uda'.*'usl'"):
            to_pass_checkpoint({}, 'uda')

    @pytest.mark.parametrize('kind', ['supervised', 'usl', 'pretrain', 'backbone'])
    def test_another_model(self, kind):
        with pytest.raises(ValueError, match=f"kind='{kind}'.*cls_token"):
            to_pass_checkpoint({'head.weight': torch.ones(1)}, kind)

    def test_fine_tuned_is_not_pre_trained(self):
        weights = below(part_vit(num_parts=3).state_dict(), '', 'backbone.')
        with pytest.raises(ValueError, match=r'no teacher\.backbone\.cls_token'):
            to_pass_checkpoint(weights, 'pretrain')

    @pytest.mark.parametrize(
        ('kind', 'name'),
        [
            ('supervised', 'neck.norms.0.weight'),
            ('supervised', 'head.fc.weight'),
            ('usl', 'head.neck.norms.0.weight'),
            ('pretrain', 'head.classifier.weight'),
            ('pretrain', 'teacher.neck.norms.0.weight'),
        ],
    )
    def test_a_weight_without_place(self, kind, name):
        weights = part_vit(num_parts=3).state_dict()
        weights = below(weights, '', 'backbone.') | below(weights, '', 'teacher.backbone.')
        if kind != 'pretrain':
            weights = {k: v for k, v in weights.items() if not k.startswith('teacher.')}
        with pytest.raises(KeyError, match=name.removeprefix('teacher.')):
            to_pass_checkpoint(weights | {name: torch.ones(1)}, kind)

    def test_a_norm_before_the_layers(self):
        with pytest.raises(KeyError, match='pre_norm'):
            to_pass_checkpoint(part_vit(pre_norm=True).state_dict(), 'backbone')

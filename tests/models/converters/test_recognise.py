import pytest
import torch
from foreign_vits import dino_container, part_vit, timm_vit

from passreid.models import PASS
from passreid.models.converters import fit_checkpoint, pass_kind

ARCH = dict(embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=16)


@pytest.fixture(scope='module')
def model():
    return PASS(
        backbone=dict(type='PartViT', arch=ARCH, img_size=(16, 8), patch_size=8),
        neck=dict(type='PASSNeck', hidden_channels=8, bottleneck_channels=8, out_channels=8),
        head=dict(type='PASSHead'),
    )


@pytest.fixture(scope='module')
def classifier_names(model):
    return {f'backbone.{name}' for name in model.backbone.state_dict()} | {'head.weight'}


def distinct(weights):
    """Give each tensor a value of its own, so that a wrong one shows."""
    return {name: torch.full_like(value, i) for i, (name, value) in enumerate(weights.items())}


def test_teacher_of_our_pre_training(model, classifier_names):
    weights = distinct(model.state_dict())
    found, text = fit_checkpoint({'state_dict': weights, 'meta': {}}, classifier_names)
    assert set(found) == classifier_names - {'head.weight'}
    assert all(torch.equal(value, weights[f'teacher.{name}']) for name, value in found.items())
    assert 'teacher' in text


def test_our_own_checkpoints_are_left_alone(model):
    wanted = set(model.state_dict())
    assert fit_checkpoint({'state_dict': model.state_dict()}, wanted) is None
    assert fit_checkpoint({'module.a': torch.zeros(1)}, {'a', 'b'}) is None


def test_unknown_checkpoints_are_left_alone(classifier_names):
    assert fit_checkpoint({'state_dict': {'x': torch.zeros(1)}}, classifier_names) is None


def test_bare_backbone(model, classifier_names):
    weights = distinct(model.backbone.state_dict())
    found, text = fit_checkpoint({'state_dict': weights}, classifier_names)
    assert found == {f'backbone.{name}': value for name, value in weights.items()}
    assert 'bare backbone' in text


def test_bare_backbone_for_pre_training_fills_student_and_teacher(model):
    weights = distinct(model.backbone.state_dict())
    found, _ = fit_checkpoint(weights, set(model.state_dict()))
    assert len(found) == 2 * len(weights)
    assert found['teacher.backbone.cls_token'] is weights['cls_token']


def test_timm_names(model, classifier_names):
    del model
    weights = {'cls_token': torch.zeros(1), 'blocks.0.norm1.weight': torch.ones(1)}
    found, _ = fit_checkpoint(weights, classifier_names)
    assert set(found) == {'backbone.cls_token', 'backbone.layers.0.ln1.weight'}


def test_authors_pre_training(reference, classifier_names):
    data = reference('vit_tiny')
    bare = {
        name.removeprefix('sd/'): value for name, value in data.items() if name.startswith('sd/')
    }
    content = {
        'student': {f'module.backbone.{name}': value + 1 for name, value in bare.items()},
        'teacher': {f'backbone.{name}': value for name, value in bare.items()},
        'epoch': 3,
    }
    found, text = fit_checkpoint(content, classifier_names)
    assert torch.equal(found['backbone.cls_token'], bare['cls_token'])
    assert torch.equal(found['backbone.part_tokens.2'], bare['part_token3'])
    assert not any(name.startswith('teacher') for name in found)
    assert 'authors' in text


@pytest.fixture(scope='module')
def cluster_names(model):
    """Names of a model of USL: a backbone, and a neck with one normalisation."""
    names = {f'backbone.{name}' for name in model.backbone.state_dict()}
    return names | {f'neck.norms.0.{name}' for name in ('weight', 'bias', 'running_mean')}


@pytest.mark.parametrize('prefix', ['', 'module.'])
@pytest.mark.parametrize('contained', [True, False])
def test_authors_usl(reference, cluster_names, classifier_names, prefix, contained):
    data = reference('vit_tiny')
    weights = {f'{prefix}{k.removeprefix("sd/")}': v for k, v in data.items() if k[:3] == 'sd/'}
    neck = {f'{prefix}bottleneck.{name}': torch.ones(3) for name in ('weight', 'bias')}
    content = weights | neck
    if contained:
        content = {'state_dict': content, 'epoch': 50, 'best_mAP': 0.88}
    for wanted in (cluster_names, classifier_names):
        found, text = fit_checkpoint(content, wanted)
        assert len(found) == len(weights) + len(neck)
        assert torch.equal(found['backbone.part_tokens.2'], data['sd/part_token3'])
        assert found['neck.norms.0.weight'] is neck[f'{prefix}bottleneck.weight']
        assert not any('bottleneck' in name for name in found)
        assert text == "Recognised a USL or UDA checkpoint of the authors' code."


def test_authors_fine_tuning_is_told_from_usl(reference, cluster_names):
    data = reference('vit_tiny')
    weights = {f'base.{k.removeprefix("sd/")}': v for k, v in data.items() if k[:3] == 'sd/'}
    weights |= {'bottleneck.weight': torch.ones(3), 'classifier.weight': torch.ones(2, 3)}
    found, text = fit_checkpoint(weights, cluster_names)
    assert torch.equal(found['backbone.cls_token'], data['sd/cls_token'])
    assert found.keys() - cluster_names >= {'head.neck.norms.0.weight', 'head.classifier.weight'}
    assert 'fine-tuning' in text


def test_our_fine_tuned_models_keep_their_names(model, cluster_names, classifier_names):
    """What two models share, the backbone, is loaded; the report of the load names the rest."""
    backbone = {f'backbone.{name}': v for name, v in model.backbone.state_dict().items()}
    necks = {'neck.norms.0.weight': torch.ones(3)}
    head = {'head.neck.norms.0.weight': torch.ones(3), 'head.classifier.weight': torch.ones(2, 3)}
    assert fit_checkpoint({'state_dict': backbone | head, 'meta': {}}, cluster_names) is None
    assert fit_checkpoint({'state_dict': backbone | necks, 'meta': {}}, classifier_names) is None


@pytest.fixture(scope='module')
def plain():
    return timm_vit(num_classes=0).state_dict()


@pytest.fixture(scope='module')
def backbone():
    """Names of the weights of a backbone by itself."""
    return set(part_vit(num_parts=3).state_dict())


class TestOthers:
    """Files of plain ViTs, for models with one backbone, with two, and for a backbone alone."""

    def test_dino_is_told_from_pass(self, plain, reference):
        content = dino_container(plain)
        assert pass_kind(content) is None
        authors = {k.removeprefix('sd/'): v for k, v in reference('vit_tiny').items()}
        authors = {k: v for k, v in authors.items() if '/' not in k}
        assert pass_kind(dino_container(authors)) == 'pretrain'

    def test_dino_for_a_classifier(self, plain, backbone):
        wanted = {f'backbone.{name}' for name in backbone} | {'head.classifier.weight'}
        found, text = fit_checkpoint(dino_container(plain), wanted)
        assert text == "Recognised a teacher's backbone."
        assert torch.equal(found['backbone.cls_token'], plain['cls_token'])
        assert found.keys() - wanted == {'head.mlp.0.weight'}

    def test_dino_for_pre_training(self, plain, backbone):
        owners = ('backbone.', 'teacher.backbone.')
        wanted = {owner + name for owner in owners for name in backbone}
        found, _ = fit_checkpoint(dino_container(plain), wanted | {'head.centres'})
        for owner in owners:
            assert found[f'{owner}cls_token'] is found['backbone.cls_token']
        assert torch.equal(found['backbone.cls_token'], plain['cls_token'])

    @pytest.mark.parametrize('owner', ['', 'backbone.'])
    def test_deit_and_what_is_beside_it(self, plain, backbone, owner):
        content = {'model': plain | {'head.weight': torch.ones(5, 32)}}
        wanted = {owner + name for name in backbone}
        found, text = fit_checkpoint(content, wanted)
        assert text == 'Recognised a bare backbone.'
        assert found.keys() - wanted == {f'{owner}head.weight'}

    def test_whole_models_for_a_backbone_alone(self, plain, backbone, model):
        tuned = {f'backbone.{k}': v for k, v in plain.items()} | {
            'head.fc.weight': plain['norm.bias']
        }
        found, text = fit_checkpoint({'state_dict': tuned, 'meta': {}}, backbone)
        assert found.keys() <= backbone and text == 'Recognised a backbone.'
        weights = distinct(model.state_dict())
        found, text = fit_checkpoint({'state_dict': weights}, backbone)
        assert found['part_tokens.1'] is weights['teacher.backbone.part_tokens.1']
        assert text == "Recognised a pre-training checkpoint; its teacher's backbone is used."

    def test_authors_fine_tuning_for_a_backbone_alone(self, reference, backbone):
        data = reference('vit_tiny')
        weights = {f'base.{k.removeprefix("sd/")}': v for k, v in data.items() if k[:3] == 'sd/'}
        weights |= {'bottleneck.weight': torch.ones(3), 'classifier.weight': torch.ones(2, 3)}
        found, _ = fit_checkpoint(weights, backbone)
        assert torch.equal(found['part_tokens.2'], data['sd/part_token3'])
        assert found.keys() == backbone

    def test_mmpretrain_for_pre_training_fills_both(self, backbone):
        weights = {f'backbone.{k}': v for k, v in part_vit().state_dict().items()}
        weights |= {'head.layers.head.weight': torch.ones(2, 32)}
        owners = ('backbone.', 'teacher.backbone.')
        found, _ = fit_checkpoint(
            {'state_dict': weights}, {owner + name for owner in owners for name in backbone}
        )
        assert found['teacher.backbone.cls_token'] is weights['backbone.cls_token']
        assert 'head.layers.head.weight' in found

    def test_a_model_without_vit(self, plain):
        assert fit_checkpoint(plain, {'conv.weight'}) is None

    def test_swiglu_is_refused_unless_the_model_has_it(self, plain):
        weights = {k.replace('mlp.fc1', 'mlp.w12'): v for k, v in plain.items()}
        with pytest.raises(ValueError, match='SwiGLU'):
            fit_checkpoint(weights, {'cls_token', 'pos_embed'})
        own = {'cls_token': plain['cls_token'], 'layers.0.ffn.w12.weight': plain['cls_token']}
        assert fit_checkpoint(own, set(own)) is None

"""Files of the layouts of iBOT and PersonViT, drawn at random."""

import pytest
import torch
from mmpretrain.models import ImageClassifier
from plain_vits import ARCH, below, part_vit, timm_vit

from passreid.models import PartViT, ReIDHead
from passreid.models.converters import (
    fill_model,
    from_vit_checkpoint,
    load_weights,
    to_vit_checkpoint,
)

SIZE = (64, 32)


def pretrained(vit, wrapper=''):
    """What pre-training saves: the student's weights are all one larger than the teacher's."""
    weights = vit.state_dict() | {'masked_embed': torch.ones(1, 32)}
    head = {'mlp.0.weight': torch.ones(3, 32), 'last_layer.weight_v': torch.ones(3, 32)}
    teacher = below('backbone.', weights) | below('head.', head)
    return {
        'student': {f'module.{name}': value + 1 for name, value in teacher.items()},
        'teacher': below(wrapper, teacher),
        'ibot_loss': {'center': torch.ones(1, 3), 'center2': torch.ones(1, 1, 3)},
        'optimizer': {'state': {}},
        'epoch': 220,
    }


def classifier():
    backbone = PartViT(ARCH, img_size=SIZE, num_parts=0)
    return ImageClassifier(backbone=backbone, head=ReIDHead(32, num_classes=4, num_parts=0)).eval()


def assert_same(backbone, vit, size=SIZE):
    pictures = torch.randn(2, 3, *size)
    with torch.no_grad():
        own, theirs = backbone(pictures)[0][:, 0], vit.forward_features(pictures)[:, 0]
    torch.testing.assert_close(own, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('wrapper', ['', 'module.'])
@pytest.mark.parametrize('size', [(64, 32), (64, 64)])
def test_the_teacher_of_pre_training(size, wrapper, tmp_path):
    """The mask token has no place in the model, which is as it should be."""
    vit = timm_vit(size, num_classes=0)
    torch.save(pretrained(vit, wrapper), tmp_path / 'checkpoint0220.pth')
    model = part_vit(img_size=size)
    report = load_weights(model, tmp_path / 'checkpoint0220.pth', strict=True)
    assert report.share == 1 and not report.unused and 'teacher' in report.table()
    assert_same(model, vit, size)


def test_a_square_table_is_resized():
    """As iBOT has it for its images of 224 x 224 pixels."""
    vit = timm_vit(224, num_classes=0)
    report = fill_model(part_vit(img_size=SIZE), pretrained(vit))
    assert report.share == 1 and report.resized['pos_embed'] == ((1, 196, 32), (1, 8, 32))


def test_a_fine_tuned_model():
    vit, source, model = timm_vit(SIZE, num_classes=0), classifier(), classifier()
    torch.nn.init.normal_(source.head.neck.norms[0].running_mean)
    weights = below('base.', vit.state_dict() | {'fc.weight': torch.ones(3, 32)})
    weights |= below('bottleneck.', source.head.neck.norms[0].state_dict())
    weights |= below('classifier.', source.head.classifier.state_dict())
    report = fill_model(model, weights)
    assert report.share == 1 and report.clean
    assert_same(model.backbone, vit)
    for name, value in source.head.state_dict().items():
        assert torch.equal(model.head.state_dict()[name], value), name


def test_from_pre_training_over_ours_to_timm_and_back():
    vit = timm_vit(SIZE, num_classes=0)
    meta = {'pos_embed_grid': (4, 2)}
    backbone = from_vit_checkpoint(pretrained(vit) | {'meta': meta})
    other = to_vit_checkpoint({'state_dict': backbone, 'meta': meta})
    assert other.keys() == vit.state_dict().keys()
    assert all(torch.equal(other[name], value) for name, value in vit.state_dict().items())

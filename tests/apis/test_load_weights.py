import logging
from unittest import mock

import pytest
import torch
from foreign_vits import ARCH, dino_container, timm_vit
from mmengine.model import MMDistributedDataParallel
from mmpretrain.models import ImageClassifier

from passreid.apis import load_weights
from passreid.models import PASS, PartViT, ReIDHead
from passreid.models.converters import to_pass_checkpoint
from passreid.utils import UnsafeCheckpointError


def classifier(**options):
    torch.manual_seed(0)
    head = ReIDHead(32, num_classes=4)
    return ImageClassifier(backbone=PartViT(ARCH, img_size=(64, 32), **options), head=head)


@pytest.fixture
def tuned(tmp_path):
    """A fine-tuned model and its checkpoint."""
    model = classifier()
    model.init_weights()
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, tmp_path / 'epoch_1.pth')
    return model, tmp_path / 'epoch_1.pth'


@pytest.fixture
def log():
    with mock.patch('passreid.apis.load_weights.print_log') as log:
        yield log


def test_own_checkpoint(tuned, log):
    source, path = tuned
    model = classifier()
    report = load_weights(model, path, strict=True)
    for name, value in source.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name
    assert report.clean and report.source == str(path) and report.model == 'ImageClassifier'
    log.assert_called_once_with(report.table(), logger='current', level=logging.INFO)


def test_authors_checkpoint(tuned, tmp_path):
    source, _ = tuned
    torch.save(to_pass_checkpoint(source.state_dict(), 'supervised'), tmp_path / 'authors.pth')
    model = classifier()
    report = load_weights(model, str(tmp_path / 'authors.pth'), strict=True)
    assert torch.equal(model.head.classifier.weight, source.head.classifier.weight)
    assert report.recognised == "Recognised a fine-tuning checkpoint of the authors' code."


def test_plain_vit_with_a_warning(tmp_path, log):
    torch.save(dino_container(timm_vit(num_classes=0).state_dict()), tmp_path / 'dino.pth')
    report = load_weights(classifier(), tmp_path / 'dino.pth')
    assert not report.clean and log.call_args.kwargs['level'] == logging.WARNING
    assert report.share > 0.99 and report.unused == ('head.mlp.0.weight',)


def test_plain_vit_for_pre_training(tmp_path):
    torch.save(timm_vit(num_classes=0).state_dict(), tmp_path / 'vit.pth')
    model = PASS(
        backbone=dict(type='PartViT', arch=ARCH, img_size=(64, 32)),
        neck=dict(type='PASSNeck', hidden_channels=8, bottleneck_channels=8, out_channels=8),
        head=dict(type='PASSHead'),
    )
    report = load_weights(model, tmp_path / 'vit.pth')
    assert torch.equal(model.teacher['backbone'].ln1.bias, model.backbone.ln1.bias)
    assert sum(why == 'started from [CLS]' for why in report.initialised.values()) == 12


def test_inside_a_distributed_wrapper(tuned):
    source, path = tuned
    wrapper = mock.Mock(spec=MMDistributedDataParallel, module=classifier())
    with mock.patch('passreid.utils.unwrap.is_model_wrapper', return_value=True):
        load_weights(wrapper, path)
    assert torch.equal(wrapper.module.backbone.cls_token, source.backbone.cls_token)


class TestFailures:
    def test_nothing_fits(self, tmp_path):
        torch.save({'conv.weight': torch.ones(1)}, tmp_path / 'a.pth')
        with pytest.raises(RuntimeError, match='No parameter of ImageClassifier was loaded'):
            load_weights(classifier(), tmp_path / 'a.pth', min_share=0)

    def test_half_a_backbone(self, tuned, tmp_path):
        weights = tuned[0].state_dict()
        half = {k: v for k, v in weights.items() if not k.startswith('backbone.layers.1.')}
        torch.save(half, tmp_path / 'a.pth')
        with pytest.raises(RuntimeError, match=r'Only \d\d\.\d% of the backbone'):
            load_weights(classifier(), tmp_path / 'a.pth')
        assert load_weights(classifier(), tmp_path / 'a.pth', min_share=0.5).share < 0.75

    def test_strict(self, tuned, tmp_path):
        weights = tuned[0].state_dict()
        torch.save(weights | {'head.more': torch.ones(1)}, tmp_path / 'a.pth')
        with pytest.raises(RuntimeError, match=r'strict=True(.|\n)*head\.more'):
            load_weights(classifier(), tmp_path / 'a.pth', strict=True)

    def test_another_number_of_parts(self, tuned):
        model = ImageClassifier(
            backbone=PartViT(ARCH, img_size=(64, 32), num_parts=4),
            head=ReIDHead(32, num_classes=4, num_parts=4),
        )
        with pytest.raises(ValueError, match='3 part tokens.*num_parts=4'):
            load_weights(model, tuned[1])

    def test_swiglu(self, tmp_path):
        weights = timm_vit(num_classes=0).state_dict()
        weights = {k.replace('mlp.fc1', 'mlp.w12'): v for k, v in weights.items()}
        torch.save(weights, tmp_path / 'a.pth')
        with pytest.raises(ValueError, match='SwiGLU'):
            load_weights(classifier(), tmp_path / 'a.pth')

    def test_no_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r'none\.pth'):
            load_weights(classifier(), tmp_path / 'none.pth')

    def test_damaged_file(self, tuned):
        tuned[1].write_bytes(tuned[1].read_bytes()[:5000])
        with pytest.raises(RuntimeError, match='damaged'):
            load_weights(classifier(), tuned[1])

    def test_code(self, tmp_path):
        torch.save({'state_dict': {}, 'hook': logging.getLogger}, tmp_path / 'a.pth')
        with pytest.raises(UnsafeCheckpointError):
            load_weights(classifier(), tmp_path / 'a.pth')

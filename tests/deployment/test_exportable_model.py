import pytest
import torch
from mmengine.model import BaseDataPreprocessor
from tiny_models import KINDS, people_batch, people_model, rgb
from torch.nn import functional as F
from toy_models import ToyModel

from passreid.deployment import ExportableModel
from passreid.models import FlipTTAModel


@pytest.fixture(params=KINDS)
def model(request):
    return people_model(request.param)


def compared(model, batch):
    """Features as a test compares them."""
    with torch.no_grad():
        samples = model.test_step(dict(inputs=batch))
    return torch.stack([sample.feature for sample in samples])


def close(one, other):
    torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


def test_features_are_those_of_a_test(model):
    batch = people_batch()
    exported = ExportableModel(model)(rgb(batch))
    expected = compared(model, batch)
    close(exported, F.normalize(expected, dim=1))
    assert exported.shape == (3, 16 if len(expected[0]) == 16 else 32)
    # Far apart enough for the comparison to mean something.
    assert (exported[0] - exported[1]).norm() > 0.01


def test_flip_is_that_of_a_test(model):
    batch = people_batch()
    close(ExportableModel(model, flip=True)(rgb(batch)), compared(FlipTTAModel(model), batch))
    assert (ExportableModel(model)(rgb(batch)) - compared(FlipTTAModel(model), batch)).norm() > 1e-3


def test_normalized_input(model):
    batch = people_batch()
    prepared = model.data_preprocessor(dict(inputs=batch), False)['inputs']
    exported = ExportableModel(model, raw_input=False)
    close(exported(prepared), ExportableModel(model)(rgb(batch)))
    close(exported.info.prepare(rgb(batch)), prepared)


def test_features_of_any_length(model):
    images = rgb(people_batch())
    raw = ExportableModel(model, normalize=False)(images)
    assert ((raw.norm(dim=1) - 1).abs() > 0.01).all()
    close(F.normalize(raw, dim=1), ExportableModel(model)(images))


def test_mean_of_mirror_images_keeps_its_direction():
    model, images = people_model(), rgb(people_batch())
    mean = ExportableModel(model, flip=True, normalize=False)(images)
    assert (mean.norm(dim=1) < 1).all()
    close(F.normalize(mean, dim=1), ExportableModel(model, flip=True)(images))


def test_cluster_features_without_normalisation_are_those_of_a_test():
    model, batch = people_model('cluster'), people_batch()
    close(ExportableModel(model, normalize=False)(rgb(batch)), compared(model, batch))


@pytest.mark.parametrize('kind', ['reid', 'ics', 'pass'])
def test_another_size(kind, log, monkeypatch):
    monkeypatch.setattr('passreid.utils.log_once._shown', set())
    model, batch = people_model(kind), people_batch(size=(48, 24))
    exported = ExportableModel(model, image_size=(48, 24))
    assert exported.info.input_size == (48, 24)
    features = exported(rgb(batch))
    assert 'pixels' not in log()
    close(features, compared(model, batch))
    assert '48x24 pixels' in log()


def test_model_is_left_alone(model):
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    exported = ExportableModel(model, image_size=(48, 24))
    with torch.no_grad():
        for value in exported.state_dict().values():
            value.zero_()
    assert model.training and all(value.requires_grad for value in model.backbone.parameters())
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_only_what_features_need_is_taken():
    for kind, others in (('pass', 'projectors'), ('reid', 'classifier'), ('cluster', 'memory')):
        names = ExportableModel(people_model(kind)).state_dict()
        assert not [name for name in names if others in name]


def test_without_normalisation_of_pixels():
    model = people_model()
    model.data_preprocessor = BaseDataPreprocessor()
    exported = ExportableModel(model)
    assert (exported.info.mean, exported.info.std) == ((0.0,) * 3, (1.0,) * 3)
    images = torch.rand(2, 3, 32, 16)
    with torch.no_grad():
        close(exported(images), model.head(model.backbone(images)))


def test_describes_itself():
    info = ExportableModel(people_model(), config='vit', flip=True).info
    assert (info.config, info.input_size, info.channel_order) == ('vit', (32, 16), 'RGB')
    assert (info.mean, info.std) == ((120.0, 110.0, 100.0), (60.0, 50.0, 40.0))
    assert (info.raw_input, info.normalize, info.flip, info.feature_dim) == (True, True, True, 32)


def test_other_models_are_refused():
    with pytest.raises(TypeError, match='ToyModel cannot be exported: it has to be an Image'):
        ExportableModel(ToyModel())

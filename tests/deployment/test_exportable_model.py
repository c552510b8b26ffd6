import json

import pytest
import torch
from tiny_models import KINDS, people_batch, people_model, rgb
from torch.nn import functional as F
from toy_models import ToyModel

from passreid.deployment import ExportableModel, ExportInfo
from passreid.models import FlipTTAModel
from passreid.version import __version__


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
    close(exported, F.normalize(compared(model, batch), dim=1))
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


@pytest.mark.parametrize('flip', [False, True])
def test_features_of_any_length(model, flip):
    images = rgb(people_batch())
    raw = ExportableModel(model, normalize=False, flip=flip)(images)
    assert ((raw.norm(dim=1) - 1).abs() > 1e-4).all()
    close(F.normalize(raw, dim=1), ExportableModel(model, flip=flip)(images))


@pytest.mark.parametrize('kind', ['reid', 'ics', 'pass'])
def test_another_size(kind):
    model, batch = people_model(kind), people_batch(size=(48, 24))
    exported = ExportableModel(model, image_size=(48, 24))
    assert exported.info.input_size == (48, 24)
    close(exported(rgb(batch)), compared(model, batch))


def test_model_is_left_alone(model):
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    exported = ExportableModel(model, image_size=(48, 24))
    for value in exported.state_dict().values():
        value.zero_()
    assert model.training and all(value.requires_grad for value in model.backbone.parameters())
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_describes_itself():
    info = ExportableModel(people_model(), config='vit', flip=True).info
    assert (info.config, info.input_size, info.channel_order) == ('vit', (32, 16), 'RGB')
    assert (info.mean, info.std) == ((120.0, 110.0, 100.0), (60.0, 50.0, 40.0))
    assert (info.raw_input, info.normalize, info.flip, info.feature_dim) == (True, True, True, 32)
    assert ExportInfo.from_json(info.to_json()) == info
    assert json.loads(info.to_json())['passreid'] == __version__


def test_fingerprint_is_that_of_weights_and_options():
    model = people_model()
    first = ExportableModel(model).info.fingerprint
    assert ExportableModel(people_model(), config='other name').info.fingerprint == first
    others = [
        ExportableModel(model, **options).info.fingerprint
        for options in (dict(flip=True), dict(normalize=False), dict(image_size=(64, 32)))
    ]
    with torch.no_grad():
        model.backbone.cls_token += 1e-3
    others.append(ExportableModel(model).info.fingerprint)
    assert len({first, *others}) == 5


def test_other_models_are_refused():
    with pytest.raises(TypeError, match='ToyModel cannot be exported'):
        ExportableModel(ToyModel())

import json

import pytest
import torch
from tiny_models import KINDS, people_batch, people_model, rgb
from torch.nn import functional as F
from toy_models import ToyModel

from passreid.deployment import ExportableModel, ExportInfo
from passreid.deployment.exportable_model import INPUTS
from passreid.deployment.trackers import ultralytics_margin
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


def fed(kind):
    """Images as programs feed them, by their own arithmetic."""
    images = rgb(people_batch())
    unit = images / 255
    mean, std = (
        torch.tensor(v).view(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    )
    return {
        'uint8': images,
        'bgr': torch.stack(people_batch()),
        'unit': unit,
        'imagenet': (unit - mean) / std,
        'normalized': people_model().data_preprocessor(dict(inputs=people_batch()), False)[
            'inputs'
        ],
    }[kind]


@pytest.mark.parametrize('kind', INPUTS)
@pytest.mark.parametrize('layout', ['NCHW', 'NHWC'])
def test_inputs(kind, layout):
    model, images = people_model(), fed(kind)
    exported = ExportableModel(model, input=kind, layout=layout)
    prepared = exported.info.prepare(rgb(people_batch()))
    if layout == 'NHWC':
        images = images.permute(0, 2, 3, 1)
    assert prepared.dtype == images.dtype
    torch.testing.assert_close(prepared, images, atol=1e-5, rtol=0)
    expected = F.normalize(compared(model, people_batch()), dim=1)
    torch.testing.assert_close(exported(images), expected, atol=1e-5, rtol=0)


def test_inputs_that_do_not_exist():
    for options in (dict(input='rgb'), dict(layout='CHW')):
        with pytest.raises(ValueError, match="'rgb'|'CHW'"):
            ExportableModel(people_model(), **options)


def test_resizes_and_cuts_the_margin():
    model, images = people_model(), rgb(people_batch())
    expected = ExportableModel(model)(images)
    # Twice the size by repetition, and a margin of a quarter on each side.
    large = images.repeat_interleave(2, 2).repeat_interleave(2, 3)
    exported = ExportableModel(model, input_size=(64, 32))
    shrunk = F.interpolate(large.float(), (32, 16), mode='bilinear', antialias=True)
    torch.testing.assert_close(exported(large), ExportableModel(model)(shrunk), atol=1e-5, rtol=0)
    framed = F.pad(images, (8, 8, 16, 16), value=200)
    exported = ExportableModel(model, input_size=(64, 32), margin=(0.5, 0.5))
    torch.testing.assert_close(exported(framed), expected, atol=1e-5, rtol=0)
    assert ExportInfo.from_json(exported.info.to_json()) == exported.info


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
    info = ExportableModel(people_model(), config='vit', license='MIT', flip=True).info
    assert (info.config, info.input_size, info.license) == ('vit', (32, 16), 'MIT')
    assert (info.mean, info.std) == ((120.0, 110.0, 100.0), (60.0, 50.0, 40.0))
    assert (info.input, info.normalize, info.flip, info.feature_dim) == ('uint8', True, True, 32)
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


@pytest.mark.parametrize(
    'sizes', [dict(input_size=(0, 16)), dict(margin=ultralytics_margin((-5, 9)))]
)
def test_sizes_that_leave_nothing(sizes):
    with pytest.raises(ValueError, match='leaves nothing of an image'):
        ExportableModel(people_model(), **sizes)

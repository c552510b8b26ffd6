import json

import torch
from tiny_models import people_model

from passreid.deployment import ExportableModel, ExportInfo
from passreid.version import __version__


def test_survives_being_written():
    info = ExportableModel(people_model(), config='vit').info
    assert ExportInfo.from_json(info.to_json()) == info
    written = json.loads(info.to_json())
    assert written['input_size'] == [32, 16]
    assert written['passreid'] == __version__


def test_fingerprint_is_that_of_weights_and_options():
    model = people_model()
    first = ExportableModel(model).info.fingerprint
    assert len(first) == 16
    assert ExportableModel(people_model(), config='other name').info.fingerprint == first
    others = [
        ExportableModel(model, **options).info.fingerprint
        for options in (dict(flip=True), dict(normalize=False), dict(image_size=(64, 32)))
    ]
    with torch.no_grad():
        model.backbone.cls_token += 1e-3
    others.append(ExportableModel(model).info.fingerprint)
    assert len({first, *others}) == 5


def test_noise():
    info = ExportableModel(people_model()).info
    images = info.noise(4)
    assert images.shape == (4, 3, 32, 16)
    assert 0 <= images.min() < 5 and 250 < images.max() <= 255
    assert torch.equal(images, info.noise(4))
    prepared = ExportableModel(people_model(), raw_input=False).info.noise(4)
    torch.testing.assert_close(prepared, info.prepare(images))
    expected = (images[:, 2] - 100) / 40
    torch.testing.assert_close(prepared[:, 2], expected)

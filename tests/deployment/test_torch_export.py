import json
import warnings

import pytest
import torch
from tiny_models import kinds, people_batch, people_model, rgb

from passreid.deployment import ExportableModel, export_program, export_torchscript

FORMATS = {'.pt': export_torchscript, '.pt2': export_program}


def load(path):
    files = {'passreid.json': ''}
    if path.suffix == '.pt':
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', FutureWarning)
            module = torch.jit.load(path, _extra_files=files)
    else:
        module = torch.export.load(path, extra_files=files).module()
    return module, json.loads(files['passreid.json'])


@pytest.mark.parametrize('suffix', FORMATS)
@kinds
def test_equals_the_model(suffix, kind, tmp_path):
    model, path = ExportableModel(people_model(kind), config='vit'), tmp_path / f'model{suffix}'
    assert FORMATS[suffix](model, path, images=rgb(people_batch())) < 1e-5
    module, info = load(path)
    for size in (1, 2, 7):
        images = model.example(size)
        torch.testing.assert_close(module(images), model(images), atol=1e-6, rtol=0)
    assert (info['config'], info['fingerprint']) == ('vit', model.info.fingerprint)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize('suffix', FORMATS)
def test_options(suffix, tmp_path):
    options = dict(flip=True, normalize=False, raw_input=False, image_size=(48, 24))
    model, path = ExportableModel(people_model(), **options), tmp_path / f'model{suffix}'
    FORMATS[suffix](model, path)
    images = model.example(5)
    torch.testing.assert_close(load(path)[0](images), model(images), atol=1e-6, rtol=0)


@pytest.mark.parametrize('suffix', FORMATS)
def test_prints_nothing(suffix, tmp_path, capfd, recwarn):
    model = ExportableModel(people_model())
    capfd.readouterr()
    FORMATS[suffix](model, tmp_path / f'model{suffix}')
    assert capfd.readouterr() == ('', '')
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.parametrize('suffix', FORMATS)
def test_wrong_name(suffix, tmp_path):
    with pytest.raises(ValueError, match=rf'model.x: the name of the file must end with {suffix}$'):
        FORMATS[suffix](ExportableModel(people_model()), tmp_path / 'model.x')

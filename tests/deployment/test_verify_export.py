import sys

import onnx
import pytest
import torch
from onnx import numpy_helper
from tiny_models import people_batch, people_model, rgb

from passreid.deployment import (
    ExportableModel,
    ExportMismatchError,
    export_onnx,
    export_torchscript,
    open_exported,
    verify_export,
)


@pytest.fixture(scope='module')
def model():
    return ExportableModel(people_model())


@pytest.fixture(scope='module')
def good(model, tmp_path_factory):
    path = tmp_path_factory.mktemp('good') / 'model.onnx'
    export_onnx(model, path)
    return path


@pytest.fixture
def changed(good, tmp_path):
    """Change the largest weight of the file, or what it says about itself."""

    def write(change):
        graph = onnx.load(good)
        weight = max(graph.graph.initializer, key=lambda weight: len(weight.raw_data))
        values = numpy_helper.to_array(weight).copy()
        change(values)
        weight.CopyFrom(numpy_helper.from_array(values, weight.name))
        onnx.save(graph, tmp_path / 'model.onnx')
        return tmp_path / 'model.onnx'

    return write


def test_good_file(model, good):
    assert 0 < verify_export(good, model) < 1e-5


def test_one_wrong_weight(model, changed):
    def one(values):
        values.flat[3] += 0.3

    with pytest.raises(ExportMismatchError, match=r'model.onnx: .* by up to \d\.\de-0\d, more'):
        verify_export(changed(one), model)


def test_wrong_on_given_images_alone(model, good):
    other = ExportableModel(people_model(), raw_input=False)
    with pytest.raises(ExportMismatchError, match='features of 3 images differ'):
        verify_export(good, other, batch_sizes=(), images=rgb(people_batch()))


def test_what_is_not_a_number(model, changed):
    with pytest.raises(ExportMismatchError, match='by up to nan'):
        verify_export(changed(lambda values: values.fill(float('nan'))), model)


def test_tolerance(model, good):
    with pytest.raises(ExportMismatchError, match='more than 1e-12'):
        verify_export(good, model, tolerance=1e-12)


def test_batch_that_is_not_dynamic(model, tmp_path):
    class Fixed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model
            self.info = model.info

        def forward(self, images):
            features = self.model(images)
            return features.reshape(2, 32) if torch.jit.is_tracing() else features

        def example(self, batch_size=2):
            return model.example(batch_size)

    with pytest.raises(ExportMismatchError, match='does not run on 1 images'):
        export_torchscript(Fixed(), tmp_path / 'model.pt')
    assert list(tmp_path.iterdir()) == []


def test_features_of_another_length(model, good):
    shorter = ExportableModel(people_model('without parts'))
    with pytest.raises(ExportMismatchError, match=r'shape \(1, 32\), not \(1, 16\)'):
        verify_export(good, shorter)


def test_long_features_are_compared_in_units_of_their_length(tmp_path):
    people = people_model()
    people.backbone.ln1.weight.data.mul_(1e4)
    people.backbone.ln1.bias.data.mul_(1e4)
    model = ExportableModel(people, normalize=False)
    assert model(model.example()).norm(dim=1).min() > 1e3
    assert export_onnx(model, tmp_path / 'model.onnx') < 1e-5


def test_open_exported(model, good, changed, tmp_path):
    exported = open_exported(good)
    assert exported.info == model.info
    with pytest.raises(ValueError, match=r'takes images of 32x16 pixels .*, not 16x32'):
        exported(torch.zeros(1, 3, 16, 32))
    with pytest.raises(FileNotFoundError, match='no exported model gone.onnx'):
        open_exported('gone.onnx')
    (tmp_path / 'model.txt').touch()
    with pytest.raises(ValueError, match='ends with .onnx, .pt, .pt2'):
        open_exported(tmp_path / 'model.txt')


def test_files_of_others_are_refused(good, tmp_path):
    graph = onnx.load(good)
    del graph.metadata_props[:]
    onnx.save(graph, tmp_path / 'model.onnx')
    with pytest.raises(ValueError, match='was not exported by passreid'):
        open_exported(tmp_path / 'model.onnx')


def test_missing_package(good, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    with pytest.raises(ImportError, match='onnxruntime: pip install onnx onnxruntime'):
        open_exported(good)

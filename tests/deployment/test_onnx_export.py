import importlib
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from tiny_models import kinds, people_batch, people_model, rgb

from passreid.deployment import (
    ExportableModel,
    ExportInfo,
    ExportMismatchError,
    export_onnx,
    onnx_export,
)

options = pytest.mark.parametrize(
    'options',
    [
        dict(flip=True, normalize=False, raw_input=False, image_size=(48, 24)),
        pytest.param(dict(flip=True), marks=pytest.mark.slow),
        pytest.param(dict(normalize=False), marks=pytest.mark.slow),
        pytest.param(dict(raw_input=False), marks=pytest.mark.slow),
    ],
    ids=lambda options: ' '.join(options),
)


def features_of(path, images):
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    return session.run(['features'], {'images': images.numpy()})[0]


def assert_equals_torch(path, model):
    for size in (1, 2, 5, 7):
        images = model.example(size)
        features = features_of(path, images)
        np.testing.assert_allclose(features, model(images).numpy(), atol=1e-4, rtol=1e-4)
    assert len(np.unique(features.round(3), axis=0)) == 7


@kinds
def test_equals_torch(kind, tmp_path):
    model = ExportableModel(people_model(kind))
    assert export_onnx(model, tmp_path / 'model.onnx') < 1e-5
    assert_equals_torch(tmp_path / 'model.onnx', model)


@options
def test_options(options, tmp_path):
    model = ExportableModel(people_model(), **options)
    export_onnx(model, tmp_path / 'model.onnx')
    assert_equals_torch(tmp_path / 'model.onnx', model)


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    model = ExportableModel(people_model(), config='vit')
    path = tmp_path_factory.mktemp('new') / 'folder' / 'model.onnx'
    export_onnx(model, path, images=rgb(people_batch()))
    return model, path


def test_file_is_one_and_valid(exported):
    _, path = exported
    assert [file.name for file in path.parent.iterdir()] == ['model.onnx']
    graph = onnx.load(path)
    onnx.checker.check_model(graph, full_check=True)
    assert graph.opset_import[0].version == 18
    (images,), (features,) = graph.graph.input, graph.graph.output
    sizes = [
        [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (images, features)
    ]
    assert sizes == [['batch', 3, 32, 16], ['batch', 32]]


def test_file_describes_itself(exported):
    model, path = exported
    metadata = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert ExportInfo.from_json(metadata['passreid']) == model.info


def test_file_tells_nothing_of_the_machine(exported):
    content = exported[1].read_bytes()
    assert b'/' not in b''.join(word for word in content.split() if b'.py' in word)
    assert b'stack_trace' not in content


def test_size_of_images_is_fixed(exported):
    with pytest.raises(
        onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument, match='index: 2'
    ):
        features_of(exported[1], torch.zeros(1, 3, 48, 16))


@pytest.mark.slow
def test_newer_operators(tmp_path):
    model = ExportableModel(people_model())
    export_onnx(model, tmp_path / 'model.onnx', opset=20)
    assert onnx.load(tmp_path / 'model.onnx').opset_import[0].version == 20


@pytest.mark.slow
def test_weights_too_large_for_one_file(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_export, '_MAX_BYTES', 1000)
    model = ExportableModel(people_model())
    export_onnx(model, tmp_path / 'model.onnx')
    assert sorted(file.name for file in tmp_path.iterdir()) == ['model.onnx', 'model.onnx.data']
    assert_equals_torch(tmp_path / 'model.onnx', model)


def test_nothing_is_left_of_a_wrong_file(tmp_path, monkeypatch):
    def corrupt(model, opset):
        program = trace(model, opset)
        name, weight = max(
            program.model.graph.initializers.items(), key=lambda item: item[1].const_value.size
        )
        values = weight.const_value.numpy().copy()
        values[0] += 0.5
        weight.const_value = onnx_ir.tensor(values, name=name)
        return program

    trace, onnx_ir = onnx_export._trace, importlib.import_module('onnx_ir')
    monkeypatch.setattr(onnx_export, '_trace', corrupt)
    (tmp_path / 'model.onnx').write_text('of before')
    with pytest.raises(ExportMismatchError, match=r'differ from those of torch by up to \d'):
        export_onnx(ExportableModel(people_model()), tmp_path / 'model.onnx')
    assert [file.name for file in tmp_path.iterdir()] == ['model.onnx']
    assert (tmp_path / 'model.onnx').read_text() == 'of before'


@pytest.mark.parametrize('package', ['onnx', 'onnxscript', 'onnxruntime'])
def test_missing_package(package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf'package {package}: pip install onnx onnxruntime'):
        export_onnx(ExportableModel(people_model()), tmp_path / 'model.onnx')
    assert list(tmp_path.iterdir()) == []


def test_wrong_arguments(tmp_path):
    model = ExportableModel(people_model())
    with pytest.raises(ValueError, match='opset must be at least 18, not 17'):
        export_onnx(model, tmp_path / 'model.onnx', opset=17)
    with pytest.raises(ValueError, match=r'model.pb: the name of the file must end with .onnx'):
        export_onnx(model, tmp_path / 'model.pb')

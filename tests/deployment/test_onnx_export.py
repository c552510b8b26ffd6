import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from tiny_models import people_model

from passreid.deployment import (
    ExportableModel,
    ExportInfo,
    ExportMismatchError,
    export_onnx,
    verify_export,
)


def assert_equals_torch(path, model):
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    for size in (1, 2, 5, 7):
        images = model.info.noise(size)
        (features,) = session.run(['features'], {'images': images.numpy()})
        np.testing.assert_allclose(features, model(images).numpy(), atol=1e-4, rtol=1e-4)
    assert len(np.unique(features.round(3), axis=0)) == 7


CASES = [
    ('pass', {}),
    (
        'reid',
        dict(flip=True, normalize=False, input='unit', image_size=(48, 24), input_size=(64, 40)),
    ),
    pytest.param('cluster', {}, marks=pytest.mark.slow),
    pytest.param('ics', {}, marks=pytest.mark.slow),
]


@pytest.mark.parametrize('kind, options', CASES)
def test_equals_torch(kind, options, tmp_path):
    model, path = ExportableModel(people_model(kind), **options), tmp_path / 'model.onnx'
    opset = 20 if options else 18
    assert export_onnx(model, path, opset=opset) < 1e-5
    assert onnx.load(path).opset_import[0].version == opset
    assert_equals_torch(path, model)


@pytest.mark.slow
def test_registers_and_the_activation_of_clip(tmp_path):
    clip = dict(pre_norm=True, layer_cfgs=dict(act_cfg=dict(type='QuickGELU')))
    model, path = ExportableModel(people_model(num_registers=2, **clip)), tmp_path / 'model.onnx'
    assert export_onnx(model, path) < 1e-5
    assert_equals_torch(path, model)


def test_file_is_one_and_valid(exported):
    model, path = exported
    assert [file.name for file in path.parent.iterdir()] == ['model.onnx']
    graph = onnx.load(path)
    onnx.checker.check_model(graph, full_check=True)
    (images,), (features,) = graph.graph.input, graph.graph.output
    sizes = [
        [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (images, features)
    ]
    assert sizes == [['batch', 3, 32, 16], ['batch', 256]]
    metadata = {entry.key: entry.value for entry in graph.metadata_props}
    assert ExportInfo.from_json(metadata['passreid']) == model.info
    assert_equals_torch(path, model)


def test_file_tells_nothing_of_the_machine(exported):
    content = exported[1].read_bytes()
    assert b'/' not in b''.join(word for word in content.split() if b'.py' in word)
    assert b'stack_trace' not in content and b'pkg.torch' not in content


def test_nothing_is_left_of_a_wrong_file(tmp_path):
    class Spoilt(ExportableModel):
        def forward(self, images):
            return super().forward(images) * (1 + 0.1 * torch.compiler.is_compiling())

    (tmp_path / 'model.onnx').write_text('of before')
    with pytest.raises(ExportMismatchError, match='model.onnx: features of 1 images differ'):
        export_onnx(Spoilt(people_model()), tmp_path / 'model.onnx')
    assert [file.name for file in tmp_path.iterdir()] == ['model.onnx']
    assert (tmp_path / 'model.onnx').read_text() == 'of before'


@pytest.mark.parametrize('value', [0.3, float('nan')])
def test_wrong_weights_are_found(exported, tmp_path, value):
    model, path = exported
    graph = onnx.load(path)
    weight = max(graph.graph.initializer, key=lambda weight: len(weight.raw_data))
    values = numpy_helper.to_array(weight).copy()
    values.flat[3] += value
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    onnx.save(graph, tmp_path / 'model.onnx')
    with pytest.raises(ExportMismatchError, match='model.onnx'):
        verify_export(tmp_path / 'model.onnx', model)


def test_wrong_arguments(tmp_path):
    model = ExportableModel(people_model())
    with pytest.raises(ValueError, match='opset'):
        export_onnx(model, tmp_path / 'model.onnx', opset=17)
    with pytest.raises(ValueError, match='model.pb'):
        export_onnx(model, tmp_path / 'model.pb')

import os

import onnx
import pytest
from tiny_models import people_batch, rgb
from torch.nn import functional as F

from passreid.deployment import ExportedModel, ExportMismatchError, quantize_onnx


@pytest.fixture(scope='module')
def floats(exported):
    return exported[1]


@pytest.fixture(scope='module')
def integers(floats):
    path = floats.parents[1] / 'integers' / 'model.int8.onnx'
    return path, quantize_onnx(floats, path)


def weights(path):
    graph = onnx.load(path).graph
    sizes = {onnx.TensorProto.INT8: 0, onnx.TensorProto.FLOAT: 0}
    for weight in graph.initializer:
        if len(weight.dims) == 2 and weight.data_type in sizes:
            sizes[weight.data_type] += weight.dims[0] * weight.dims[1]
    return sizes, {node.op_type for node in graph.node}


def test_is_smaller_and_close(floats, integers):
    path, cosine = integers
    assert os.path.getsize(path) < 0.4 * os.path.getsize(floats)
    assert 0.99 < cosine < 1
    images = rgb(people_batch(7))
    features = [ExportedModel(file)(images) for file in (floats, path)]
    assert F.cosine_similarity(*features).min() > 0.99
    assert list(path.parent.iterdir()) == [path]


def test_every_weight_of_a_product_is_quantised(floats, integers):
    sizes, operators = weights(integers[0])
    assert sizes[onnx.TensorProto.INT8] == 2 * (4 * 128 * 128 + 2 * 128 * 256)
    assert sizes[onnx.TensorProto.FLOAT] == 0
    assert {'MatMulInteger', 'Conv'} <= operators and 'ConvInteger' not in operators


def test_describes_itself(floats, integers):
    before, after = (ExportedModel(file).info for file in (floats, integers[0]))
    assert (before.quantized, after.quantized) == (False, True)
    assert before.fingerprint != after.fingerprint
    assert (after.config, after.input_size, after.feature_dim) == ('vit', (32, 16), 256)


OPTIONS = [dict(reduce_range=True), dict(per_channel=False), dict(images=rgb(people_batch(9)))]


@pytest.mark.parametrize('options', OPTIONS)
def test_options(floats, integers, tmp_path, options):
    cosine = quantize_onnx(floats, tmp_path / 'other.onnx', **options)
    assert 0.9 < cosine < integers[1]
    info = ExportedModel(tmp_path / 'other.onnx').info
    assert info.fingerprint != ExportedModel(integers[0]).info.fingerprint


def test_too_far_from_the_original(floats, tmp_path):
    with pytest.raises(ExportMismatchError, match='other.onnx'):
        quantize_onnx(floats, tmp_path / 'other.onnx', min_cosine=0.99999999)
    assert list(tmp_path.iterdir()) == []


def test_wrong_arguments(floats, integers, tmp_path):
    with pytest.raises(ValueError, match='quantised already'):
        quantize_onnx(integers[0], tmp_path / 'twice.onnx')
    with pytest.raises(RuntimeError, match=r'gone.onnx cannot be read'):
        quantize_onnx(tmp_path / 'gone.onnx', tmp_path / 'other.onnx')
    with pytest.raises(ValueError, match='must end with .onnx'):
        quantize_onnx(floats, tmp_path / 'other.bin')

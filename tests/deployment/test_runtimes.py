import onnx
import pytest
import torch

from passreid.deployment import ExportedModel


def test_features(exported):
    model, path = exported
    opened, images = ExportedModel(path, num_threads=1), model.info.noise(4)
    assert opened.info == model.info
    torch.testing.assert_close(opened(images), model(images), atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match=r'takes images of .*\(32, 16\), not \(16, 32\)'):
        opened(torch.zeros(1, 3, 16, 32))


@pytest.mark.parametrize('data', [None, b'', b'this is no model', -1])
def test_files_that_cannot_be_read(exported, tmp_path, data):
    path = tmp_path / 'model.onnx'
    if data is not None:
        path.write_bytes(exported[1].read_bytes()[:data] if isinstance(data, int) else data)
    with pytest.raises((RuntimeError, ValueError), match=f'^{path} '):
        ExportedModel(path)


@pytest.mark.parametrize('info', [None, '{}', 'text'])
def test_files_of_others(exported, tmp_path, info):
    path, graph = tmp_path / 'model.onnx', onnx.load(exported[1])
    onnx.helper.set_model_props(graph, {} if info is None else {'passreid': info})
    onnx.save(graph, path)
    with pytest.raises(ValueError, match=f'^{path} was not exported'):
        ExportedModel(path)

import subprocess
import sys

import onnx
import pytest
import torch

from passreid.deployment import ExportedModel
from passreid.deployment.runtimes import RUNTIMES


@pytest.mark.parametrize('runtime', RUNTIMES)
def test_features(exported, runtime):
    model, path = exported
    opened, images = ExportedModel(path, 1, runtime), model.info.noise(4)
    assert opened.info == model.info
    tolerance = 0.02 if runtime.endswith('bf16') else 1e-5
    torch.testing.assert_close(opened(images), model(images), atol=tolerance, rtol=0)
    with pytest.raises(ValueError, match=r'takes images of .*\(32, 16\), not \(16, 32\)'):
        opened(torch.zeros(1, 3, 16, 32, dtype=torch.uint8))


TWO_MODELS = """
import signal, subprocess, sys
from passreid.deployment import ExportedModel
signal.signal(signal.SIGCHLD, lambda *_: None)
first, second = (ExportedModel(sys.argv[1], 1, 'openvino') for _ in range(2))
del first
del second
for _ in range(10):
    subprocess.run(['true'])
"""


def test_signals_after_two_models(exported):
    # A signal that arrives on a stack that is gone ends the process.
    command = [sys.executable, '-c', TWO_MODELS, str(exported[1])]
    assert subprocess.run(command).returncode == 0


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
    with pytest.raises(ValueError, match=f'^{path} does not say'):
        ExportedModel(path)

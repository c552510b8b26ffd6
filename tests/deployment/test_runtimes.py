from pathlib import Path

import onnx
import pytest
import torch
from tiny_runs import quick_start, reid_config, write_people

from passreid.apis import build_runner, prepare_test
from passreid.deployment import ExportableModel, ExportedModel, export_onnx
from passreid.deployment.runtimes import RUNTIMES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize('runtime', RUNTIMES)
def test_features(exported, runtime):
    model, path = exported
    opened, images = ExportedModel(path, 1, runtime), model.info.noise(4)
    assert opened.info == model.info
    tolerance = 0.02 if runtime.endswith('bf16') else 1e-5
    torch.testing.assert_close(opened(images), model(images), atol=tolerance, rtol=0)
    with pytest.raises(ValueError, match=r'takes images of .*\(32, 16\), not \(16, 32\)'):
        opened(torch.zeros(1, 3, 16, 32, dtype=torch.uint8))


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


@pytest.fixture(scope='module')
def people(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp('people'))


def test_figures_are_those_of_torch(people, tmp_path):
    with quick_start():
        cfg = reid_config(ROOT, people, tmp_path / 'run')
        prepare_test(cfg, None)
        runner = build_runner(cfg)
        torch.manual_seed(0)
        runner.model.init_weights()
        path = tmp_path / 'model.onnx'
        export_onnx(ExportableModel(runner.model, input='imagenet'), path)
        figures = runner.test()
        preprocessor = cfg.model.data_preprocessor
        cfg.model = dict(type='ExportedTestModel', path=str(path), data_preprocessor=preprocessor)
        tested = build_runner(cfg).test()
    assert tested == pytest.approx(figures, abs=1e-3)
    assert 0 < figures['reid/mAP'] < 100

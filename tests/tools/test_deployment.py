import re
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from tiny_runs import reid_config

from passreid.apis import build_runner, prepare_test
from passreid.deployment import ExportedModel

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tool(run):
    return lambda name, *arguments: run(f'deployment/{name}', *arguments)


@pytest.fixture
def export(tool, small):
    def call(*options):
        text = tool('export_onnx', small.config, small.weights, '--out', 'model.onnx', *options)
        return ExportedModel('model.onnx').info, text

    return call


def figures_in(text):
    line = [line for line in text.splitlines() if 'reid/mAP' in line][-1]
    return {name: float(value) for name, value in re.findall(r'(reid/\S+): ([\d.]+)', line)}


def test_export_quantise_and_test(export, tool, small):
    cfg = reid_config(ROOT, small.people, small.folder / 'run')
    prepare_test(cfg, small.weights)
    figures = build_runner(cfg).test()
    info, text = export('--check-images', small.people)
    assert re.search(r'Features differ from those of torch by \d\.\de-0[5-9]', text)
    assert info.config == 'reid' and info.raw_input and info.normalize
    test = ('--work-dir', 'work')
    text = tool('test_onnx', small.config, 'model.onnx', *test, '--out', 'out')
    assert figures_in(text) == pytest.approx(figures, abs=1e-3)
    assert Path('out/result.npz').is_file()
    text = tool('quantize_onnx', 'model.onnx', '--out', 'model.int8.onnx', '--reduce-range')
    assert 0.95 < float(re.search(r'is at least ([\d.]+)\.$', text).group(1)) <= 1
    text = tool('test_onnx', small.config, 'model.int8.onnx', *test, '--threads', '1')
    assert list(figures_in(text)) == list(figures)


@pytest.mark.slow
def test_options(export):
    info, _ = export('--no-normalize', '--normalized-input', '--flip', '--opset', '19')
    assert (info.normalize, info.raw_input, info.flip) == (False, False, True)
    assert onnx.load('model.onnx').opset_import[0].version == 19


def test_images_to_check(tool, load_tool, small, monkeypatch, tmp_path):
    red = np.zeros((32, 16, 3), np.uint8)
    red[..., 2] = 255
    cv2.imwrite(str(tmp_path / 'red.png'), red)
    given = []

    def export_onnx(model, path, opset, images):
        given.append(images)
        return 0.0

    monkeypatch.setattr(load_tool('deployment/export_onnx'), 'export_onnx', export_onnx)
    words = ['export_onnx', small.config, small.weights, '--out', 'model.onnx', '--check-images']
    tool(*words, tmp_path)
    ((image,),) = given
    assert image.mean((1, 2)).tolist() == [255, 0, 0]
    with pytest.raises(FileNotFoundError, match='none'):
        tool(*words, 'none')

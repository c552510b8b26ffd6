import re
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from tiny_runs import reid_config

from passreid.apis import build_runner, get_model, load_config, prepare_test
from passreid.deployment import ExportableModel, ExportedModel
from passreid.deployment.trackers import TRACKERS

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
    assert info.config == 'reid' and info.input == 'uint8' and info.normalize
    test = ('--work-dir', 'work')
    text = tool('test_onnx', small.config, 'model.onnx', *test, '--out', 'out')
    assert figures_in(text) == pytest.approx(figures, abs=1e-3)
    assert Path('out/result.npz').is_file()
    text = tool('quantize_onnx', 'model.onnx', '--out', 'model.int8.onnx', '--reduce-range')
    assert 0.95 < float(re.search(r'is at least ([\d.]+)\.$', text).group(1)) <= 1
    options = ('--threads', '1', '--runtime', 'openvino')
    text = tool('test_onnx', small.config, 'model.int8.onnx', *test, *options)
    assert list(figures_in(text)) == list(figures)


@pytest.mark.slow
def test_options(export):
    info, _ = export('--no-normalize', '--input', 'normalized', '--flip', '--opset', '19')
    assert (info.normalize, info.input, info.flip) == (False, 'normalized', True)
    assert onnx.load('model.onnx').opset_import[0].version == 19


@pytest.mark.parametrize('tracker', TRACKERS)
def test_trackers(export, tracker):
    info, text = export('--for', tracker, '--license', 'MIT')
    assert (info.input, info.layout) == {
        'plain': ('uint8', 'NCHW'),
        'boxmot': ('imagenet', 'NCHW'),
        'ultralytics': ('unit', 'NCHW'),
        'deepsort': ('bgr', 'NHWC'),
    }[tracker]
    assert info.license == 'MIT' and 'model.onnx' in text.split('To run it:')[1]


def test_margin_of_ultralytics(export, capsys):
    info, _ = export('--for', 'ultralytics', '--box-size', '100', '50', '--input-size', '64', '32')
    assert info.margin == pytest.approx((12 / 112, 11 / 61)) and info.input_size == (64, 32)
    with pytest.raises(SystemExit):
        export('--for', 'boxmot', '--box-size', '100', '50')
    assert '--box-size' in capsys.readouterr().err


def test_calibrated(export, tool, small):
    info, _ = export('--for', 'boxmot')
    tool('quantize_onnx', 'model.onnx', '--out', 'int8.onnx', '--calibrate', small.people)
    tool('quantize_onnx', 'model.onnx', '--out', 'dynamic.onnx')
    names = ['model.onnx', 'int8.onnx', 'dynamic.onnx']
    assert len({ExportedModel(name).info.fingerprint for name in names}) == 3


def test_images_of_a_folder(load_tool, small, tmp_path):
    folder_images = load_tool('deployment/folder_images').folder_images
    info = ExportableModel(get_model(load_config(small.config))).info
    with pytest.raises(ValueError, match=str(tmp_path)):
        folder_images(info, tmp_path, 3)
    red = np.zeros((64, 20, 3), np.uint8)
    red[..., 2] = 255
    for name in 'abcd':
        cv2.imwrite(str(tmp_path / f'{name}.png'), red)
    images = folder_images(info, tmp_path, 3)
    assert images.shape == (3, 3, 32, 16)
    assert images.float().mean((0, 2, 3)).tolist() == [255, 0, 0]

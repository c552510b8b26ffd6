import importlib
import re
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from tiny_runs import pass_config, quick_start, reid_config, write_crops, write_people

from passreid.apis import build_runner, get_model, load_config, prepare_test
from passreid.deployment import ExportableModel, ExportedModel

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module', autouse=True)
def quick():
    with quick_start():
        yield


@pytest.fixture(scope='module')
def base(tmp_path_factory):
    """A folder with people, a config, a checkpoint with a classifier, and its figures."""
    folder = tmp_path_factory.mktemp('base')
    people = write_people(folder / 'people')
    cfg = reid_config(ROOT, people, folder / 'run')
    cfg.dump(folder / 'reid.py')
    cfg.model.head.num_classes = 8
    torch.manual_seed(3)
    runner = build_runner(cfg)
    runner.model.init_weights()
    torch.save({'state_dict': runner.model.state_dict()}, folder / 'reid.pth')
    return folder


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Call a program in this process; give what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT / 'tools' / 'deployment'))

    def call(name, *arguments):
        monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments)])
        program = importlib.import_module(name)
        program.main()
        return capsys.readouterr().out

    return call


@pytest.fixture
def exported(run, base):
    def export(*options):
        words = base / 'reid.py', base / 'reid.pth', '--out', 'model.onnx', *options
        text = run('export_onnx', *words)
        return ExportedModel('model.onnx'), text

    return export


def figures_in(text):
    line = [line for line in text.splitlines() if 'reid/mAP' in line][-1]
    return {name: float(value) for name, value in re.findall(r'(reid/\S+): ([\d.]+)', line)}


def test_export_quantise_and_test(exported, run, base):
    cfg = reid_config(ROOT, base / 'people', base / 'run')
    prepare_test(cfg, base / 'reid.pth')
    figures = build_runner(cfg).test()
    model, text = exported('--check-images', base / 'people')
    assert re.search(r'Features differ from those of torch by \d\.\de-0[5-9]', text)
    assert model.info.config == 'reid' and model.info.raw_input and model.info.normalize
    test = ('--work-dir', 'work')
    text = run('test_onnx', base / 'reid.py', 'model.onnx', *test, '--out', 'out')
    assert figures_in(text) == pytest.approx(figures, abs=1e-3)
    assert Path('out/result.npz').is_file()
    text = run('quantize_onnx', 'model.onnx', '--out', 'model.int8.onnx', '--reduce-range')
    cosine = re.search(r'the cosine of features .* is at least ([\d.]+)\.$', text).group(1)
    assert 0.95 < float(cosine) <= 1
    text = run('test_onnx', base / 'reid.py', 'model.int8.onnx', *test, '--threads', '1')
    assert list(figures_in(text)) == list(figures)


@pytest.mark.slow
def test_options(exported):
    flags = ['--no-normalize', '--normalized-input', '--flip', '--opset', '19']
    model, _ = exported(*flags)
    info = model.info
    assert (info.normalize, info.raw_input, info.flip) == (False, False, True)
    assert onnx.load('model.onnx').opset_import[0].version == 19


@pytest.mark.slow
def test_teacher_of_pre_training(run, tmp_path):
    cfg = pass_config(ROOT, write_crops(tmp_path / 'crops', 1), tmp_path / 'run')
    cfg.dump(tmp_path / 'pass.py')
    run('export_onnx', 'pass.py', 'none', '--out', 'model.onnx')
    assert ExportedModel('model.onnx').info.feature_dim == 32


def test_images_to_check(run, base, tmp_path):
    tool = importlib.import_module('export_onnx')
    cfg = load_config(base / 'reid.py')
    info = ExportableModel(get_model(cfg)).info
    with pytest.raises(FileNotFoundError, match='--check-images: there are no images in'):
        tool.load_images(cfg, info, tmp_path)
    red = np.zeros((32, 16, 3), np.uint8)
    red[..., 2] = 255
    cv2.imwrite('red.png', red)
    (image,) = tool.load_images(cfg, info, tmp_path)
    assert image.mean((1, 2)).tolist() == [255, 0, 0]

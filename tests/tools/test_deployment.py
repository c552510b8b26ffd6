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
from passreid.deployment import ExportableModel, open_exported

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


@pytest.fixture(scope='module')
def figures(base):
    cfg = reid_config(ROOT, base / 'people', base / 'run')
    prepare_test(cfg, base / 'reid.pth')
    return build_runner(cfg).test()


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
    def export(*options, name='export_onnx', out='model.onnx'):
        text = run(name, base / 'reid.py', base / 'reid.pth', '--out', out, *options)
        return open_exported(out), text

    return export


def figures_in(text):
    line = [line for line in text.splitlines() if 'reid/mAP' in line][-1]
    return {name: float(value) for name, value in re.findall(r'(reid/\S+): ([\d.]+)', line)}


def test_export_quantise_and_test(exported, run, base, figures):
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


def test_options_of_the_exporters(exported):
    flags = ['--no-normalize', '--normalized-input', '--flip', '--opset', '19']
    model, _ = exported(*flags)
    info = model.info
    assert (info.normalize, info.raw_input, info.flip) == (False, False, True)
    assert onnx.load('model.onnx').opset_import[0].version == 19


@pytest.mark.parametrize(('form', 'out'), [('export', 'model.pt2'), ('torchscript', 'model.pt')])
def test_export_torch(exported, run, base, figures, form, out):
    _, text = exported('--format', form, '--raw-input', name='export_torch', out=out)
    assert 'Features differ from those of the model by 0.0e+00.' in text
    text = run('test_onnx', base / 'reid.py', out, '--work-dir', 'work')
    assert figures_in(text) == pytest.approx(figures, abs=1e-3)


def test_teacher_of_pre_training(run, tmp_path):
    cfg = pass_config(ROOT, write_crops(tmp_path / 'crops', 1), tmp_path / 'run')
    cfg.dump(tmp_path / 'pass.py')
    run('export_torch', 'pass.py', 'none', '--out', 'model.pt2')
    assert open_exported('model.pt2').info.feature_dim == 32


def test_images_to_check_are_there(exported, tmp_path):
    with pytest.raises(FileNotFoundError, match='--check-images: there are no images in'):
        exported('--check-images', tmp_path)


def test_images_to_check_are_rgb(run, base):
    exporting = importlib.import_module('exporting')
    red = np.zeros((32, 16, 3), np.uint8)
    red[..., 2] = 255
    cv2.imwrite('red.png', red)
    cfg = load_config(base / 'reid.py')
    model = ExportableModel(get_model(cfg))
    (image,) = exporting._load_images(cfg, model, Path())
    assert image.mean((1, 2)).tolist() == [255, 0, 0]

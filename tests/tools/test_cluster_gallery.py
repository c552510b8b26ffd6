import csv
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from tiny_runs import ARCH, HEIGHT, WIDTH, pass_config, quick_start, reid_config, shrink

from passreid.apis import build_runner, get_model
from passreid.clustering import ClusterStatistics
from passreid.datasets.storage.bad_images import BadImageError, TooManyBadImagesError

ROOT = Path(__file__).parents[2]
# Copies of one picture are a cluster, whatever the model; 7 + 5 + 4 images and one on its own.
PEOPLE = {
    'b/1.jpg': 0,
    'b/2, again.jpg': 0,
    'b/3\n.jpg': 0,
    'a/ü.jpg': 0,
    'a/人.jpg': 0,
    '=1+2.jpg': 0,
    'z.jpg': 0,
    **{f'c/{n}.jpg': 1 for n in range(5)},
    **{f'd/{n}.png': 2 for n in range(4)},
    'd/alone.jpg': None,
}
CLUSTER = ['--eps', '0.3', '--k1', '7', '--k2', '1']


@pytest.fixture(scope='module', autouse=True)
def quick():
    with quick_start():
        yield


def write_crops(folder, people=PEOPLE):
    generator = np.random.default_rng(0)
    looks = {person: generator.integers(0, 256, (8, 4, 3), np.uint8) for person in (0, 1, 2, None)}
    for name, person in people.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # OpenCV may not know how to write to such a path.
        image = cv2.resize(looks[person], (WIDTH, HEIGHT))
        path.write_bytes(cv2.imencode('.png', image)[1].tobytes())
    return folder


@pytest.fixture(scope='module')
def base(tmp_path_factory):
    """A folder with crops, a config and a checkpoint of an untrained, but not plain, model."""
    folder = tmp_path_factory.mktemp('base')
    crops = write_crops(folder / 'crops')
    cfg = reid_config(ROOT, crops, folder / 'run')
    cfg.dump(folder / 'reid.py')
    cfg.model.head.num_classes = 3
    model = build_runner(cfg).model
    torch.manual_seed(3)
    model.init_weights()
    torch.save({'state_dict': model.state_dict()}, folder / 'reid.pth')
    backbone = {'state_dict': model.backbone.state_dict()}
    torch.save(backbone, folder / 'teacher_backbone.pth')
    return folder


@pytest.fixture(scope='module')
def program():
    sys.path.insert(0, str(ROOT / 'tools'))
    try:
        path = ROOT / 'tools' / 'cluster_gallery.py'
        spec = importlib.util.spec_from_file_location('cluster_gallery', path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(ROOT / 'tools'))
    return module


@pytest.fixture
def run(program, base, tmp_path, monkeypatch, capsys):
    """Call the program in this process; give what it printed."""
    monkeypatch.chdir(tmp_path)

    def call(*options, config=base / 'reid.py', weights=base / 'reid.pth', folder=base / 'crops'):
        words = ['cluster_gallery.py', config, weights, folder, *options]
        monkeypatch.setattr(sys, 'argv', [str(word) for word in [*words, '--work-dir', 'log']])
        program.main()
        return capsys.readouterr().out

    return call


def clusters(folder=Path('clusters')):
    with (folder / 'clusters.csv').open(encoding='utf-8', newline='') as file:
        header, *rows = csv.reader(file)
    assert header == ['path', 'cluster']
    return {path: int(cluster) for path, cluster in rows}


def pictures(folder=Path('clusters')):
    return sorted(path.name for path in folder.glob('*.png'))


EXPECTED = {
    f'./{name}' if name.startswith('=') else name: -1 if person is None else person
    for name, person in PEOPLE.items()
}
SHEETS = [*(f'cluster_000{n}.png' for n in range(3)), 'outliers.png']


def test_clusters_of_a_folder(run):
    text = run(*CLUSTER)
    assert clusters() == EXPECTED
    assert list(clusters())[:3] == ['./=1+2.jpg', 'a/ü.jpg', 'a/人.jpg']
    assert pictures() == SHEETS
    assert '\n17 images: 3 clusters, 1 outliers (5.9%)\n' in text
    assert 'Images of a cluster: 4 to 7, median 5\n' in text
    assert 'Wrote clusters.csv and 4 contact sheets to clusters\n' in text
    assert re.search(r'(\d+) of \1 tensors of', text)
    widths = [cv2.imread(str(Path('clusters') / name)).shape[1] for name in SHEETS]
    assert widths == [14 * 2 + 7 * 104 - 8, 14 * 2 + 5 * 104 - 8, 480, 480]


def test_another_run_replaces_the_first(run, base):
    run(*CLUSTER, '--out', 'new/place', '--max-tiles', '2')
    assert clusters(Path('new/place')) == EXPECTED
    text = run(*CLUSTER, '--out', 'new/place', '--min-samples', '8')
    assert set(clusters(Path('new/place')).values()) == {-1}
    assert pictures(Path('new/place')) == ['outliers.png']
    assert 'Every image is an outlier: none has 8 images' in text and 'Raise --eps' in text
    assert '17 images: 0 clusters, 17 outliers (100.0%)' in text


def test_one_cluster_is_reported(run, tmp_path):
    folder = write_crops(tmp_path / 'same', {f'{n}.jpg': 0 for n in range(5)})
    text = run(folder=folder)
    assert set(clusters().values()) == {0}
    assert 'All images that have a cluster are in one' in text and 'Lower --eps' in text
    assert pictures() == ['cluster_0000.png']


def test_bare_backbone(run, base):
    text = run(*CLUSTER, weights=base / 'teacher_backbone.pth')
    assert 'Recognised a bare backbone' in text
    assert clusters() == EXPECTED


@pytest.mark.parametrize('kind', ['validation', 'several tests'])
def test_pipeline_of_other_loaders(run, base, tmp_path, kind):
    cfg = Config.fromfile(base / 'reid.py')
    if kind == 'validation':
        cfg.update(test_dataloader=None, test_evaluator=None, test_cfg=None)
    else:
        cfg.test_dataloader = [cfg.test_dataloader] * 2
        cfg.test_cfg = dict(type='MultiTestLoop', names=['a', 'b'])
    cfg.dump(tmp_path / 'other.py')
    run(*CLUSTER, config=tmp_path / 'other.py')
    assert clusters() == EXPECTED


def test_model_that_was_trained_on_clusters(run, base, tmp_path):
    """Its config has no data to test on; the hook says how features are extracted."""
    cfg = Config.fromfile(ROOT / 'configs' / 'usl' / 'usl_vit-s16_folder.py')
    cfg.model.backbone.update(arch=ARCH, img_size=(HEIGHT, WIDTH), patch_size=8, init_cfg=None)
    cfg.model.neck.in_channels = ARCH['embed_dims']
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    shrink(cfg.default_hooks.pseudo_labels.pipeline)
    cfg.dump(tmp_path / 'usl.py')
    text = run(*CLUSTER, config=tmp_path / 'usl.py')
    assert clusters() == EXPECTED
    assert 'unused of the file' in text


def test_model_of_pre_training_sorts_too(run, base, tmp_path):
    cfg = pass_config(ROOT, base / 'crops', tmp_path / 'work')
    cfg.dump(tmp_path / 'pass.py')
    torch.save({'state_dict': get_model(cfg).state_dict()}, tmp_path / 'pass.pth')
    run(*CLUSTER, config=tmp_path / 'pass.py', weights=tmp_path / 'pass.pth')
    assert clusters().keys() == EXPECTED.keys()


@pytest.mark.parametrize('workers', [0, 2])
def test_unreadable_images_are_named_and_counted(run, base, tmp_path, workers):
    folder = tmp_path / 'crops'
    shutil.copytree(base / 'crops', folder)
    (folder / 'b' / 'torn.jpg').write_bytes((folder / 'z.jpg').read_bytes()[:60])
    option = f'test_dataloader.num_workers={workers}'
    text = run(*CLUSTER, '--cfg-options', option, folder=folder)
    assert clusters() == {**EXPECTED, 'b/torn.jpg': -1}
    assert '17 images: 3 clusters, 1 outliers' in text
    assert 'Not read, -1 in the list; the log says why: b/torn.jpg\n' in text


def test_summary_names_some_of_many_unreadable_images(program):
    figures = ClusterStatistics(0, 4, 0, 0.0, 0)
    text = program.summarise(figures, 4, [f'{n}.jpg' for n in range(7)])
    assert text == (
        '4 images: 0 clusters, 4 outliers (100.0%)\n'
        'Not read, -1 in the list; the log says why: 0.jpg, 1.jpg, 2.jpg, 3.jpg, 4.jpg and 2 others'
    )


def test_folder_without_images_that_can_be_read(run, tmp_path):
    for number in range(3):
        path = tmp_path / 'torn' / f'{number}.jpg'
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b'torn')
    with pytest.raises(TooManyBadImagesError, match=r'images loaded so far are bad.*torn/\d\.jpg'):
        run(folder='torn')
    assert not Path('clusters').exists()


def test_image_that_vanishes_is_named(run, program, base, tmp_path, monkeypatch):
    folder = tmp_path / 'crops'
    shutil.copytree(base / 'crops', folder)
    extract = program.extract

    def extract_and_tear(runner):
        found = extract(runner)
        (folder / 'z.jpg').write_bytes(b'')
        return found

    monkeypatch.setattr(program, 'extract', extract_and_tear)
    with pytest.raises(BadImageError, match=r'bad image .*crops/z\.jpg: the file is empty'):
        run(*CLUSTER, folder=folder)


def test_nothing_is_done_when_the_output_is_refused(run, base, tmp_path):
    (tmp_path / 'clusters').mkdir()
    (tmp_path / 'clusters' / 'thesis.txt').touch()
    with pytest.raises(FileExistsError, match=r'thesis\.txt, which is no part of an earlier'):
        run()
    assert not (tmp_path / 'log').exists()
    with pytest.raises(ValueError, match='would take the contact sheets for images'):
        run('--out', base / 'crops' / 'clusters')


def test_what_is_missing_is_named(run, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'There is no checkpoint gone\.pth'):
        run(weights='gone.pth')
    with pytest.raises(FileNotFoundError, match='there is no folder gone'):
        run(folder='gone')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='no images found in'):
        run(folder='empty')


def test_missing_faiss_is_said_before_the_work(run, program, monkeypatch):
    monkeypatch.setattr(program, 'find_spec', lambda name: None)
    with pytest.raises(ImportError, match='pip install faiss-cpu'):
        run('--search', 'faiss')
    assert not Path('log').exists()


@pytest.mark.parametrize(
    ('option', 'value', 'message'),
    [
        ('--eps', '1', '--eps must lie between 0 and 1'),
        ('--eps', '0', '--eps must lie between 0 and 1'),
        ('--min-samples', '0', '--min-samples must be at least 1'),
        ('--max-tiles', '0', '--max-tiles must be at least 1'),
        ('--k1', '0', '--k1 must be at least 1'),
    ],
)
def test_wrong_numbers(run, capsys, option, value, message):
    with pytest.raises(SystemExit):
        run(option, value)
    assert message in capsys.readouterr().err


def test_clusters_are_numbered_by_size(program):
    labels = np.array([0, 1, 1, -1, 2, 2, 1, 3, 3])
    assert program.largest_first(labels).tolist() == [3, 0, 0, -1, 1, 1, 0, 2, 2]
    assert program.largest_first(np.array([-1, -1])).tolist() == [-1, -1]


def test_images_like_their_cluster_come_first(program):
    angles = np.radians([0, 50, 10, 200, 90, 60, 70])
    features = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    # The means lie near 20 and 73 degrees.
    labels = np.array([0, 0, 0, -1, 1, 1, 1])
    found = program.typical_first(features, labels)
    assert [members.tolist() for members in found] == [[2, 0, 1], [6, 5, 4]]
    assert program.typical_first(features, np.full(7, -1)) == []


@pytest.mark.slow
def test_program(base, tmp_path):
    command = [sys.executable, ROOT / 'tools' / 'cluster_gallery.py', base / 'reid.py']
    done = subprocess.run(
        [*map(str, command), str(base / 'reid.pth'), str(base / 'crops'), *CLUSTER],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ | {'CUDA_VISIBLE_DEVICES': '', 'OMP_NUM_THREADS': '1'},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ''
    assert clusters(tmp_path / 'clusters') == EXPECTED

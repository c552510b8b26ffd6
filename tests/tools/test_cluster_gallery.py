import csv
import re
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from tiny_runs import ARCH, HEIGHT, WIDTH, shrink

from passreid.datasets.storage.decoding import TooManyBadImagesError

ROOT = Path(__file__).parents[2]
# Five copies of each of three pictures, which are the five nearest of one another whatever the
# model is, and one picture on its own, which is none of those.
PEOPLE = {
    **dict.fromkeys(('=1+2.jpg', 'a/ü.jpg', 'a/人.jpg', 'b/2, again.jpg', 'b/3\n.jpg'), 0),
    **{f'c/{n}.jpg': 1 for n in range(5)},
    **{f'd/{n}.png': 2 for n in range(5)},
    'd/alone.jpg': -1,
}
EXPECTED = {f'./{name}' if name.startswith('=') else name: n for name, n in PEOPLE.items()}
CLUSTER = ['--eps', '0.3', '--k1', '5', '--k2', '1']
SHEETS = [*(f'cluster_000{n}.png' for n in range(3)), 'outliers.png']


def write_crops(folder, people=PEOPLE):
    looks = np.random.default_rng(0).integers(0, 256, (4, 8, 4, 3), np.uint8)
    for name, person in people.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # OpenCV may not know how to write to such a path.
        image = cv2.resize(looks[person], (WIDTH, HEIGHT))
        path.write_bytes(cv2.imencode('.png', image)[1].tobytes())
    return folder


@pytest.fixture(scope='module')
def crops(tmp_path_factory):
    return write_crops(tmp_path_factory.mktemp('crops'))


@pytest.fixture
def cluster(run, small, crops):
    def call(*options, config=small.config, weights=small.weights, folder=crops):
        return run('cluster_gallery', config, weights, folder, *options, '--work-dir', 'log')

    return call


@pytest.fixture
def tool(load_tool):
    return load_tool('cluster_gallery')


def clusters(folder='clusters'):
    with Path(folder, 'clusters.csv').open(encoding='utf-8', newline='') as file:
        header, *rows = csv.reader(file)
    assert header == ['path', 'cluster']
    return {path: int(cluster) for path, cluster in rows}


def pictures(folder):
    return sorted(path.name for path in Path(folder).glob('*.png'))


def test_clusters_of_a_folder(cluster):
    text = cluster(*CLUSTER)
    assert clusters() == EXPECTED
    assert pictures('clusters') == SHEETS
    assert '\neps 0.3, k1 5\n16 images: 3 clusters, 1 outliers (6.2%)\n' in text
    assert 'Images of a cluster: 5 to 5, median 5\n' in text
    assert 'Wrote clusters.csv and 4 contact sheets to clusters\n' in text
    assert re.search(r'(\d+) of \1 tensors of', text)
    assert cv2.imread(f'clusters/{SHEETS[0]}').shape[1] == 14 * 2 + 5 * 104 - 8
    # Another run replaces the first.
    text = cluster(*CLUSTER, '--min-samples', '8')
    assert set(clusters().values()) == {-1}
    assert pictures('clusters') == ['outliers.png']
    assert 'Every image is an outlier' in text and 'Raise --eps' in text


def test_cameras_are_told_apart_by_a_pattern(cluster, tool, monkeypatch):
    seen = []

    def watched(features, cam_ids):
        seen.append(sorted(np.unique(cam_ids, return_counts=True)[1].tolist()))
        return features

    monkeypatch.setattr(tool, 'standardize_by_camera', watched)
    cluster(*CLUSTER, '--camera-pattern', '^(?P<camera>.)')
    assert seen == [[1, 2, 2, 5, 6]]
    assert clusters() == EXPECTED
    with pytest.raises(ValueError, match=r'=1\+2.jpg does not match camera_pattern'):
        cluster(*CLUSTER, '--camera-pattern', '^(?P<camera>.)/')


def test_one_cluster_is_reported(cluster, tmp_path):
    folder = write_crops(tmp_path / 'same', {f'{n}.jpg': 0 for n in range(5)})
    text = cluster('--out', 'new/place', folder=folder)
    assert set(clusters('new/place').values()) == {0}
    assert 'All images that have a cluster are in one' in text and 'Lower --eps' in text
    assert pictures('new/place') == ['cluster_0000.png']


@pytest.mark.parametrize('kind', ['several tests', 'trained on clusters'])
def test_where_the_pipeline_stands(cluster, small, kind):
    """A config of USL has no data to test on; its hook says how features are extracted."""
    cfg = Config.fromfile(small.config)
    cfg.test_dataloader = [cfg.test_dataloader] * 2
    cfg.test_cfg = dict(type='MultiTestLoop', names=['a', 'b'])
    if kind == 'trained on clusters':
        cfg = Config.fromfile(ROOT / 'configs' / 'usl' / 'usl_vit-s16_folder.py')
        cfg.model.backbone.update(arch=ARCH, img_size=(HEIGHT, WIDTH), patch_size=8, init_cfg=None)
        cfg.model.neck.in_channels = ARCH['embed_dims']
        cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
        shrink(cfg.default_hooks.pseudo_labels.pipeline)
    cfg.dump('other.py')
    cluster(*CLUSTER, config='other.py')
    assert clusters() == EXPECTED


def test_unreadable_images_are_named_and_counted(cluster, crops, tmp_path):
    folder = shutil.copytree(crops, tmp_path / 'crops')
    (folder / 'b' / 'torn.jpg').write_bytes((folder / 'c' / '0.jpg').read_bytes()[:60])
    text = cluster(*CLUSTER, folder=folder)
    assert clusters() == {**EXPECTED, 'b/torn.jpg': -1}
    assert '16 images: 3 clusters, 1 outliers' in text
    assert 'Not read, -1 in the list; the log says why: b/torn.jpg\n' in text
    for path in [path for path in folder.rglob('*.*g') if path.is_file()]:
        path.write_bytes(b'torn')
    with pytest.raises(TooManyBadImagesError):
        cluster('--out', 'none', folder=folder)
    assert not Path('none').exists()


def test_what_is_wrong_is_said_before_the_work(cluster, crops, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r'gone\.pth'):
        cluster(weights='gone.pth')
    with pytest.raises(FileNotFoundError, match='no folder gone'):
        cluster(folder='gone')
    with pytest.raises(ValueError, match='--out'):
        cluster('--out', crops / 'clusters')
    Path('mine').mkdir()
    Path('mine/outliers.png').touch()
    with pytest.raises(FileExistsError, match='--out mine'):
        cluster('--out', 'mine')
    monkeypatch.setitem(sys.modules, 'faiss', None)
    with pytest.raises(ImportError, match='pip install faiss-cpu'):
        cluster('--search', 'faiss')
    for name in ('eps', 'k1'):
        with pytest.raises(ValueError, match=name):
            cluster(f'--{name}', '0', weights='gone.pth')


def test_order_of_clusters_and_of_their_images(tool):
    labels = np.array([0, 1, 1, -1, 2, 2, 1, 3, 3])
    assert tool.largest_first(labels).tolist() == [3, 0, 0, -1, 1, 1, 0, 2, 2]
    angles = np.radians([0, 50, 10, 200, 90, 60, 70])
    features = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    # The means lie near 20 and 73 degrees.
    found = tool.typical_first(features, np.array([0, 0, 0, -1, 1, 1, 1]))
    assert [members.tolist() for members in found] == [[2, 0, 1], [6, 5, 4]]
    assert tool.typical_first(features, np.full(7, -1)) == []


def test_list_survives_any_name(tool, tmp_path):
    names = ['a,b.jpg', 'say "hi".jpg', 'two\nlines\r.jpg', 'ü/人.jpg', 'bad\udcff.jpg', '@x.jpg']
    tool.write_list(tmp_path / 'clusters.csv', names, np.arange(6) - 1)
    with (tmp_path / 'clusters.csv').open(errors='surrogateescape', newline='') as file:
        rows = [path for path, _ in list(csv.reader(file))[1:]]
    assert rows == [*names[:-1], './@x.jpg']


def test_sheets(tool, tmp_path, monkeypatch):
    """Each image has a gray value of its own; of many some are shown."""
    titles, draw = [], tool.draw_contact_sheet
    monkeypatch.setattr(
        tool, 'draw_contact_sheet', lambda *args: titles.append(args[1:]) or draw(*args)
    )
    sheets = [np.arange(31), np.array([38]), np.array([39, 37])]
    names = [f'{n}.jpg' for n in range(40)]
    read = lambda index: np.full((20, 10, 3), 5 * index, np.uint8)  # noqa: E731
    assert tool.write_sheets(tmp_path / 'out', names, sheets, read, 4) == 3
    assert pictures(tmp_path / 'out') == [*SHEETS[:2], SHEETS[3]]
    assert titles == [
        ('cluster 0: 31 images, 4 shown', ['0.jpg', '10.jpg', '20.jpg', '30.jpg']),
        ('cluster 1: 1 image', ['38.jpg']),
        ('outliers: 2 images', ['39.jpg', '37.jpg']),
    ]
    page = cv2.imread(str(tmp_path / 'out' / 'cluster_0000.png'))
    assert [int(page[100, 60 + 104 * place, 0]) for place in range(4)] == [0, 50, 100, 150]

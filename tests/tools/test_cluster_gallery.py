import csv
import os
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from tiny_runs import ARCH, HEIGHT, WIDTH, shrink

from passreid.clustering import ClusterStatistics
from passreid.datasets.storage.bad_images import TooManyBadImagesError

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
EXPECTED = {
    f'./{name}' if name.startswith('=') else name: -1 if person is None else person
    for name, person in PEOPLE.items()
}
CLUSTER = ['--eps', '0.3', '--k1', '7', '--k2', '1']
SHEETS = [*(f'cluster_000{n}.png' for n in range(3)), 'outliers.png']


def write_crops(folder, people=PEOPLE):
    generator = np.random.default_rng(3)
    looks = {person: generator.integers(0, 256, (8, 4, 3), np.uint8) for person in (0, 1, 2, None)}
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


def clusters(folder=Path('clusters')):
    with (folder / 'clusters.csv').open(encoding='utf-8', newline='') as file:
        header, *rows = csv.reader(file)
    assert header == ['path', 'cluster']
    return {path: int(cluster) for path, cluster in rows}


def pictures(folder):
    return sorted(path.name for path in Path(folder).glob('*.png'))


def test_clusters_of_a_folder(cluster):
    text = cluster(*CLUSTER)
    assert clusters() == EXPECTED
    assert list(clusters())[:3] == ['./=1+2.jpg', 'a/ü.jpg', 'a/人.jpg']
    assert pictures('clusters') == SHEETS
    assert '\n17 images: 3 clusters, 1 outliers (5.9%)\n' in text
    assert 'Images of a cluster: 4 to 7, median 5\n' in text
    assert 'Wrote clusters.csv and 4 contact sheets to clusters\n' in text
    assert re.search(r'(\d+) of \1 tensors of', text)
    widths = [cv2.imread(f'clusters/{name}').shape[1] for name in SHEETS]
    assert widths == [14 * 2 + 7 * 104 - 8, 14 * 2 + 5 * 104 - 8, 480, 480]
    # Another run replaces the first.
    text = cluster(*CLUSTER, '--min-samples', '8')
    assert set(clusters().values()) == {-1}
    assert pictures('clusters') == ['outliers.png']
    assert 'Every image is an outlier' in text and 'Raise --eps' in text


def test_one_cluster_is_reported(cluster, tmp_path):
    folder = write_crops(tmp_path / 'same', {f'{n}.jpg': 0 for n in range(5)})
    text = cluster('--out', 'new/place', folder=folder)
    assert set(clusters(Path('new/place')).values()) == {0}
    assert 'All images that have a cluster are in one' in text and 'Lower --eps' in text
    assert pictures('new/place') == ['cluster_0000.png']


def test_pipeline_of_several_tests(cluster, small, tmp_path):
    cfg = Config.fromfile(small.config)
    cfg.test_dataloader = [cfg.test_dataloader] * 2
    cfg.test_cfg = dict(type='MultiTestLoop', names=['a', 'b'])
    cfg.dump(tmp_path / 'other.py')
    cluster(*CLUSTER, config=tmp_path / 'other.py')
    assert clusters() == EXPECTED


def test_model_that_was_trained_on_clusters(cluster, tmp_path):
    """Its config has no data to test on; the hook says how features are extracted."""
    cfg = Config.fromfile(ROOT / 'configs' / 'usl' / 'usl_vit-s16_folder.py')
    cfg.model.backbone.update(arch=ARCH, img_size=(HEIGHT, WIDTH), patch_size=8, init_cfg=None)
    cfg.model.neck.in_channels = ARCH['embed_dims']
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    shrink(cfg.default_hooks.pseudo_labels.pipeline)
    cfg.dump(tmp_path / 'usl.py')
    cluster(*CLUSTER, config=tmp_path / 'usl.py')
    assert clusters() == EXPECTED


def test_unreadable_images_are_named_and_counted(cluster, crops, tmp_path):
    folder = shutil.copytree(crops, tmp_path / 'crops')
    (folder / 'b' / 'torn.jpg').write_bytes((folder / 'z.jpg').read_bytes()[:60])
    text = cluster(*CLUSTER, '--cfg-options', 'test_dataloader.num_workers=1', folder=folder)
    assert clusters() == {**EXPECTED, 'b/torn.jpg': -1}
    assert '17 images: 3 clusters, 1 outliers' in text
    assert 'Not read, -1 in the list; the log says why: b/torn.jpg\n' in text
    for path in [path for path in folder.rglob('*.*g') if path.is_file()]:
        path.write_bytes(b'torn')
    with pytest.raises(TooManyBadImagesError):
        cluster('--out', 'none', folder=folder)
    assert not Path('none').exists()


def test_summary_names_some_of_many_unreadable_images(load_tool):
    program = load_tool('cluster_gallery')
    text = program.summarise(ClusterStatistics(0, 4, 0, 0.0, 0), 4, [f'{n}.jpg' for n in range(7)])
    assert text.endswith('0.jpg, 1.jpg, 2.jpg, 3.jpg, 4.jpg and 2 others')


def test_what_is_wrong_is_said_before_the_work(cluster, load_tool, crops, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r'gone\.pth'):
        cluster(weights='gone.pth')
    with pytest.raises(FileNotFoundError, match='no folder gone'):
        cluster(folder='gone')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='no images found in'):
        cluster(folder='empty')
    with pytest.raises(ValueError, match='would take the contact sheets for images'):
        cluster('--out', crops / 'clusters')
    monkeypatch.setattr(load_tool('cluster_gallery'), 'find_spec', lambda name: None)
    with pytest.raises(ImportError, match='pip install faiss-cpu'):
        cluster('--search', 'faiss')


@pytest.mark.parametrize('option', ['--eps', '--min-samples', '--max-tiles', '--k1'])
def test_wrong_numbers(cluster, capsys, option):
    with pytest.raises(SystemExit):
        cluster(option, '0')
    assert option in capsys.readouterr().err


def test_order_of_clusters_and_of_their_images(load_tool):
    program = load_tool('cluster_gallery')
    labels = np.array([0, 1, 1, -1, 2, 2, 1, 3, 3])
    assert program.largest_first(labels).tolist() == [3, 0, 0, -1, 1, 1, 0, 2, 2]
    assert program.largest_first(np.array([-1, -1])).tolist() == [-1, -1]
    angles = np.radians([0, 50, 10, 200, 90, 60, 70])
    features = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    # The means lie near 20 and 73 degrees.
    found = program.typical_first(features, np.array([0, 0, 0, -1, 1, 1, 1]))
    assert [members.tolist() for members in found] == [[2, 0, 1], [6, 5, 4]]
    assert program.typical_first(features, np.full(7, -1)) == []


@pytest.fixture
def files(load_tool):
    return load_tool('cluster_gallery_files')


def test_list_survives_any_name(files, tmp_path):
    names = ['a,b.jpg', 'say "hi".jpg', 'two\nlines\r.jpg', 'ü/人.jpg', 'bad\udcff.jpg', '@x.jpg']
    files.write_list(tmp_path / 'clusters.csv', names, np.arange(6) - 1)
    with (tmp_path / 'clusters.csv').open(errors='surrogateescape', newline='') as file:
        rows = [path for path, _ in list(csv.reader(file))[1:]]
    assert rows == [*names[:-1], './@x.jpg']
    assert os.listdir(tmp_path) == ['clusters.csv']


def test_an_earlier_result_alone_may_be_replaced(files, tmp_path):
    images, out = tmp_path / 'images', tmp_path / 'out'
    files.check_output(out, images)
    out.mkdir()
    (out / '.DS_Store').touch()
    files.check_output(out, images)
    (out / 'outliers.png').touch()
    with pytest.raises(FileExistsError, match=r'out holds outliers\.png'):
        files.check_output(out, images)
    (out / 'clusters.csv').touch()
    (out / 'cluster_10000.png').touch()
    files.check_output(out, images)
    (out / 'cluster_7.png').touch()
    with pytest.raises(FileExistsError, match=r'out holds cluster_7\.png'):
        files.check_output(out, images)
    with pytest.raises(FileExistsError, match='is a file'):
        files.check_output(out / 'cluster_7.png', images)
    with pytest.raises(ValueError, match='lies in'):
        files.check_output(tmp_path / 'x' / '..' / 'images' / 'a', images)


def test_sheets(files, tmp_path, monkeypatch):
    """Each image has a gray value of its own; of many some are shown."""
    titles, draw = [], files.draw_contact_sheet
    monkeypatch.setattr(
        files,
        'draw_contact_sheet',
        lambda images, title, names: titles.append((title, names)) or draw(images, title, names),
    )
    sheets = [np.arange(31), np.array([38]), np.array([39, 37])]
    number = files.write_gallery(
        tmp_path / 'out',
        [f'{n}.jpg' for n in range(40)],
        np.repeat([0, -1, 1, -1], [31, 7, 1, 1]),
        sheets,
        lambda index: np.full((20, 10, 3), 5 * index, np.uint8),
        4,
        lambda done, total: None,
    )
    assert number == 3 and pictures(tmp_path / 'out') == [*SHEETS[:2], SHEETS[3]]
    assert titles == [
        ('cluster 0: 31 images, 4 shown', ['0.jpg', '10.jpg', '20.jpg', '30.jpg']),
        ('cluster 1: 1 image', ['38.jpg']),
        ('outliers: 2 images', ['39.jpg', '37.jpg']),
    ]
    page = cv2.imread(str(tmp_path / 'out' / 'cluster_0000.png'))
    assert [int(page[100, 60 + 104 * place, 0]) for place in range(4)] == [0, 50, 100, 150]

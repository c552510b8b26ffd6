import copy
import os
import shutil

import cv2
import numpy as np
import pytest
import supervision
import torch
from mmengine.config import Config
from tiny_models import save_weights
from tiny_runs import cluster_config, pass_config, quick_start, reid_config, write_people

from passreid import ReIDInferencer, get_model
from passreid.apis import build_runner, prepare_test, reid_inferencer
from passreid.apis.gallery_index import IndexSummary
from passreid.clustering import camera_scales, standardize_by_camera
from passreid.datasets.storage.decoding import BadImageError
from passreid.search import GalleryRecord, LocalStore, SearchFilter, StaleGalleryError
from passreid.utils import config_path

ROOT = config_path().parent


@pytest.fixture(scope='module')
def base(tmp_path_factory):
    """People, a config, and weights far from where they start."""
    folder = tmp_path_factory.mktemp('base')
    people = write_people(folder / 'people')
    cfg = reid_config(ROOT, people, folder / 'run')
    cfg.dump(folder / 'reid.py')
    save_weights(cfg, folder / 'reid.pth')
    return folder


@pytest.fixture
def crops(base, tmp_path):
    """The gallery: 19 crops, names begin with the id."""
    return shutil.copytree(base / 'people' / 'bounding_box_test', tmp_path / 'crops')


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The cache folder of the user."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return tmp_path / 'cache' / 'passreid'


@pytest.fixture
def build(base):
    def make(gallery=None, **options):
        return ReIDInferencer(base / 'reid.py', base / 'reid.pth', gallery, **options)

    return make


@pytest.fixture
def seen(monkeypatch):
    """Count the images that models are shown in tests."""
    counts = []
    step = ReIDInferencer.forward

    def forward(self, inputs):
        counts.append(len(inputs['inputs']))
        return step(self, inputs)

    monkeypatch.setattr(ReIDInferencer, 'forward', forward)
    return counts


def queries(base):
    return sorted((base / 'people' / 'query').glob('*.jpg'))


def name(match):
    return os.path.basename(match.record.path)


def saved_features(cfg, checkpoint, out, flip):
    """Paths and features, scaled to length 1, that a test saves."""
    cfg = copy.deepcopy(cfg)
    cfg.work_dir = str(out / 'work')
    prepare_test(cfg, checkpoint, out=out, flip=flip)
    with quick_start():
        build_runner(cfg).test()
    with np.load(out / 'result.npz') as data:
        features = data['features']
        return data['img_paths'].tolist(), features / np.linalg.norm(features, axis=1)[:, None]


@pytest.mark.parametrize('flip', [False, True])
def test_features_are_those_of_a_test(build, base, tmp_path, flip):
    cfg = Config.fromfile(base / 'reid.py')
    paths, expected = saved_features(cfg, base / 'reid.pth', tmp_path, flip)
    inferencer = build(flip=flip, batch_size=7, num_workers=2)
    features = inferencer.extract(paths)
    np.testing.assert_allclose(features, expected, atol=1e-6)
    assert features.dtype == np.float32
    assert features.shape == (len(paths), inferencer.dim) == (25, 32)
    # Features that hardly differ would prove little.
    assert (expected @ expected.T).min() < 0.99
    assert np.abs(features - build(flip=not flip).extract(paths)).max() > 1e-3


def test_cluster_contrast(base, tmp_path):
    cfg, weights = cluster_config(ROOT, base / 'people', tmp_path), tmp_path / 'cluster.pth'
    save_weights(cfg, weights)
    paths, expected = saved_features(cfg, weights, tmp_path, False)
    np.testing.assert_allclose(ReIDInferencer(cfg, weights).extract(paths), expected, atol=1e-6)


def test_pre_training_gives_the_features_of_the_teacher(base, tmp_path):
    cfg, weights = pass_config(ROOT, tmp_path, tmp_path), tmp_path / 'pass.pth'
    save_weights(cfg, weights)
    inferencer = ReIDInferencer(cfg, weights, gallery=queries(base), flip=True)
    assert inferencer.dim == 32
    assert len(inferencer.gallery) == 6
    (first, *_), *_ = inferencer(queries(base)[0], exclude_self=False)
    assert first.similarity == pytest.approx(1, abs=1e-6)
    # Of the student nothing is seen.
    before = inferencer.extract(queries(base))
    torch.nn.init.zeros_(inferencer.model.backbone.cls_token)
    assert (inferencer.extract(queries(base)) == before).all()
    torch.nn.init.zeros_(inferencer.model.teacher['backbone'].cls_token)
    assert (inferencer.extract(queries(base)) != before).any()


def test_model_that_is_built_already(build, base, log):
    expected = build().extract(queries(base))
    model = get_model(base / 'reid.py', base / 'reid.pth').train()
    assert (ReIDInferencer(model).extract(queries(base)) == expected).all()
    assert not model.training
    bare = get_model(base / 'reid.py')
    inferencer = ReIDInferencer(bare, base / 'reid.pth', device='cpu')
    assert (inferencer.extract(queries(base)) == expected).all()
    assert inferencer.model is bare
    with pytest.raises(ValueError, match='built already.*head'):
        ReIDInferencer(model, head=dict(fusion='mean'))
    assert 'RANDOM' not in log()
    other = ReIDInferencer(base / 'reid.py', head=dict(fusion='mean'))
    assert f'{base}/reid.py has RANDOM weights' in log()
    assert (other.dim, inferencer.dim) == (16, 32)


def test_kinds_of_queries(build, base):
    inferencer, paths = build(), queries(base)
    images = [cv2.imread(str(path)) for path in paths]
    expected = inferencer.extract(paths)
    for inputs in (str(paths[0].parent), images, np.stack(images), [paths[0], *images[1:]]):
        np.testing.assert_allclose(inferencer.extract(inputs), expected, atol=1e-6)
    (one,) = inferencer.extract(str(paths[2]))
    np.testing.assert_allclose(one, expected[2], atol=1e-6)
    # Without a gallery a call does the same.
    np.testing.assert_array_equal(inferencer(paths), expected)
    np.testing.assert_allclose(inferencer(paths, batch_size=1), expected, atol=1e-6)


def test_gallery_of_a_folder(build, base, crops):
    inferencer = build(crops)
    (features, found) = inferencer.extract(crops), inferencer(queries(base), topk=19)
    for query, matches in zip(inferencer.extract(queries(base)), found, strict=True):
        similarities = [match.similarity for match in matches]
        np.testing.assert_allclose(similarities, np.sort(features @ query)[::-1], atol=1e-6)
        assert len({match.record.path for match in matches}) == 19
    assert [len(matches) for matches in inferencer(queries(base)[:2], topk=3)] == [3, 3]
    threshold = found[0][4].similarity
    assert inferencer(queries(base)[0], min_similarity=threshold) == [found[0][:5]]
    samples = inferencer(queries(base)[:2], topk=3, return_datasamples=True)
    assert [len(sample.matches) for sample in samples] == [3, 3]
    assert samples[0].feature.shape == (32,) and not samples[0].feature.requires_grad


def test_what_there_is_to_search(build, base, cache):
    assert 'pass-supervised_vit-t8_synthetic' in ReIDInferencer.list_models('pass*')
    for options in (dict(where=SearchFilter()), dict(min_similarity=0.5), dict(out_dir='x')):
        with pytest.raises(ValueError, match='no gallery to search'):
            build()(queries(base), **options)
    with pytest.raises(FileNotFoundError, match='gone/'):
        build('gone/')
    assert not cache.exists()


def test_features_of_a_folder_are_kept(build, crops, seen, cache):
    before = sorted(crops.iterdir())
    assert build(crops).gallery.search(np.ones((1, 32)), 50)
    # One image more tells the length of a feature.
    assert sum(seen) == 20
    seen.clear()
    build(crops)
    assert sum(seen) == 1
    assert sorted(crops.iterdir()) == before and len([*cache.glob('gallery-*/')]) == 1
    seen.clear()
    cv2.imwrite(str(crops / 'new.png'), np.zeros((32, 16, 3), np.uint8))
    changed = crops / '0101_c2s1_000002_00.jpg'
    cv2.imwrite(str(changed), np.zeros((40, 16, 3), np.uint8))
    (crops / '0102_c2s1_000002_00.jpg').unlink()
    inferencer = build(crops)
    assert sum(seen) == 3
    assert len(inferencer.gallery) == 19
    # Each model has features of its own.
    seen.clear()
    build(crops, flip=True)
    build(crops)
    assert sum(seen) == 21
    (found,) = inferencer(np.zeros((9, 9, 3), np.uint8), topk=2)
    assert {name(match) for match in found} == {'new.png', changed.name}


@pytest.mark.parametrize('name', ['records.sqlite', 'features.f32'])
def test_damaged_features_are_made_anew(build, crops, seen, log, tmp_path, name):
    build(crops, cache_dir=tmp_path / 'new' / 'cache').gallery.close()
    (file,) = (tmp_path / 'new' / 'cache').rglob(name)
    file.write_bytes(b'damaged')
    seen.clear()
    assert len(build(crops, cache_dir=str(tmp_path / 'new' / 'cache')).gallery) == 19
    assert sum(seen) == 20 and 'it is made anew' in log()


def test_query_is_no_result_for_itself(build, crops, tmp_path, monkeypatch):
    inferencer = build(crops)
    own = next(iter(sorted(crops.iterdir())[1:]))
    (tmp_path / 'link').symlink_to(crops)
    monkeypatch.chdir(crops)
    for query in (own, tmp_path / 'link' / own.name, own.name, f'../crops/{own.name}'):
        (found,) = inferencer(query, topk=3)
        assert len(found) == 3
        assert own.name not in map(name, found)
    (found,) = inferencer(own, exclude_self=False)
    assert name(found[0]) == own.name
    # A picture is not a file.
    (found,) = inferencer(cv2.imread(str(own)))
    assert name(found[0]) == own.name


def camera(path):
    return GalleryRecord(path, cam_id=int(os.path.basename(path)[6]))


def test_gallery_in_a_store(build, base, crops):
    inferencer = build()
    store = LocalStore(inferencer.dim, inferencer.fingerprint)
    assert inferencer.index(crops, store, camera) == IndexSummary(added=19)
    assert inferencer.index(crops, store, camera) == IndexSummary(unchanged=19)
    (found,) = build(store)(queries(base)[0], 50, SearchFilter(cameras=[2, 3]))
    assert len(found) == 12 and {match.record.cam_id for match in found} == {2, 3}
    searching = build(store)
    assert searching.gallery is store
    expected = build(crops)(queries(base))
    for own, other in zip(searching(queries(base)), expected, strict=True):
        assert [match.similarity for match in own] == [match.similarity for match in other]
    other = build(flip=True)
    with pytest.raises(StaleGalleryError, match='that of another model'):
        other.index(crops, store)
    with pytest.raises(StaleGalleryError):
        build(store, flip=True)


def test_gallery_standardised_by_camera(build, base, crops):
    inferencer, paths = build(), sorted(map(str, crops.iterdir()))
    store = LocalStore(inferencer.dim, inferencer.fingerprint)
    inferencer.index(paths, store, camera)
    searching = build(store, standardize_cameras=True)
    cam_ids = [camera(path).cam_id for path in paths]
    found = searching(paths, 3, cameras=cam_ids, exclude_self=False)
    features = inferencer.extract(paths)
    standard = standardize_by_camera(features, cam_ids)
    for own, matches in zip(standard @ standard.T, found, strict=True):
        expected = np.sort(own)[::-1][:3]
        np.testing.assert_allclose([one.similarity for one in matches], expected, atol=1e-5)
    assert len(store) == len(paths)
    # Of a query whose camera is not known, all images together say what is usual.
    (unknown,) = searching(paths[0], 1, exclude_self=False)
    query = standardize_by_camera(features[:1], [-1], camera_scales(features, cam_ids))
    assert unknown[0].similarity == pytest.approx((standard @ query[0]).max(), abs=1e-5)


def test_unreadable_query_is_named(build, crops):
    inferencer = build(crops)
    (crops / 'torn.jpg').write_bytes(b'no image')
    for query, reason in (('gone.jpg', 'No such file'), (crops / 'torn.jpg', 'not an image')):
        with pytest.raises(BadImageError, match=f'{query}: {reason}'):
            inferencer([np.zeros((8, 4, 3), np.uint8), query])


@pytest.fixture
def drawn(monkeypatch):
    """Remember the rows of the pictures."""
    rows = []
    draw = reid_inferencer.draw_rank_list
    monkeypatch.setattr(
        reid_inferencer, 'draw_rank_list', lambda row: rows.extend(row) or draw(row)
    )
    return rows


def test_pictures(build, base, crops, tmp_path, drawn):
    red = np.full((32, 16, 3), (0, 0, 255), np.uint8)
    inferencer = build([red, str(crops)], records=camera)
    query = queries(base)[0]
    inferencer([query, red, query], topk=20, out_dir=tmp_path / 'new')
    (found,) = inferencer(red, topk=1)
    assert found[0].record.path == 'array 0' and found[0].similarity == pytest.approx(1, abs=1e-6)
    names = {path.name for path in (tmp_path / 'new').iterdir()}
    assert names == {f'{query.stem}.png', 'query 1.png', f'{query.stem}-2.png'}
    assert all(cv2.imread(str(tmp_path / 'new' / name)).shape[1] > 500 for name in names)
    # Arrays are turned to RGB.
    assert tuple(drawn[1].image[0, 0]) == (255, 0, 0)
    items = {item.img_path: item for item in drawn[1].items}
    assert tuple(items.pop('array 0').image[0, 0]) == (255, 0, 0)
    assert len(items) == 19 and {item.cam_id for item in items.values()} == {2, 3, 4, 5}


def test_people_in_a_frame(build, crops):
    inferencer = build()
    frame = np.zeros((60, 100, 3), np.uint8)
    people = [cv2.imread(str(path)) for path in sorted(crops.glob('*.jpg'))[:2]]
    height, width = people[0].shape[:2]
    boxes = []
    for place, person in enumerate(people):
        left = 10 + 40 * place
        frame[5 : 5 + height, left : left + width] = person
        boxes.append([left, 5, left + width, 5 + height])
    features = inferencer.embed(frame, supervision.Detections(np.array(boxes, float)))
    np.testing.assert_allclose(features, inferencer.extract(people), atol=1e-6)
    assert inferencer.embed(frame, np.empty((0, 4))).shape == (0, 32)
    with pytest.raises(ValueError, match='box 0 '):
        inferencer.embed(frame, [[200, 0, 210, 10]])

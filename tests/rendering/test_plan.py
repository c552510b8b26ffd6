import os.path as osp
from collections import Counter, defaultdict
from dataclasses import replace

import pytest

from passreid.rendering import SyntheticSettings
from passreid.rendering.plan import plan_files


@pytest.fixture(scope='module')
def files():
    """Those of the default settings."""
    return plan_files(SyntheticSettings())


def test_default_sizes_and_people_that_do_not_overlap(files):
    counts = Counter(osp.dirname(file.path) for file in files)
    assert counts == {
        'bounding_box_train': 800,
        'query': 300,
        'bounding_box_test': 900,
        'unlabelled': 15000,
    }
    assert len({file.path for file in files}) == len(files)
    pids = defaultdict(set)
    for file in files:
        pids[file.picture.split].add(file.pid)
    assert [len(pids[split]) for split in ('train', 'test', 'unlabelled')] == [100, 150, 2500]
    assert len(set.union(*pids.values())) == 2750


def test_each_query_has_a_match_by_another_camera(files):
    gallery, queries = defaultdict(set), []
    for file in files:
        if file.path.startswith('bounding_box_test'):
            gallery[file.pid].add(file.picture.camera)
        elif file.path.startswith('query'):
            queries.append((file.pid, file.picture.camera))
    assert all(gallery[pid] - {camera} for pid, camera in queries)


def test_names_of_the_pool_are_shuffled_and_carry_no_id(files):
    pool = [file for file in files if file.path.startswith('unlabelled')]
    assert osp.basename(pool[7].path)[:8] == '000007_c'
    neighbors = sum(a.pid == b.pid for a, b in zip(pool, pool[1:], strict=False))
    assert neighbors < 20  # 5 expected in a random order, 12,500 in the order of the people


def test_more_people_leave_the_pictures_of_the_others_alone(tiny_settings):
    before = {file.picture for file in plan_files(tiny_settings)}
    after = {file.picture for file in plan_files(replace(tiny_settings, train_ids=5))}
    assert before < after


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'domain': 'c'}, "domain .*'c'"),
        ({'image_size': (128, 8)}, 'image_size'),
        ({'train_ids': 0}, 'train_ids'),
        ({'num_cameras': 1}, 'num_cameras'),
        ({'queries_per_id': 5}, 'queries_per_id .*num_cameras'),
    ],
)
def test_bad_settings_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        SyntheticSettings(**change)

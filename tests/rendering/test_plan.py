import os.path as osp
from collections import Counter, defaultdict
from dataclasses import replace

import pytest

from passreid.rendering import SyntheticSettings
from passreid.rendering.plan import plan_files


def test_default_sizes():
    files = plan_files(SyntheticSettings())
    counts = Counter(osp.dirname(file.path) for file in files)
    assert counts == {
        'bounding_box_train': 800,
        'query': 300,
        'bounding_box_test': 900,
        'unlabelled': 15000,
    }
    assert len({file.path for file in files}) == len(files)


def test_people_of_the_splits_do_not_overlap():
    pids, persons = defaultdict(set), set()
    for file in plan_files(SyntheticSettings()):
        pids[file.picture.split].add(file.pid)
        persons.add((file.picture.split, file.picture.person, file.pid))
    assert {split: len(members) for split, members in pids.items()} == {
        'train': 100,
        'test': 150,
        'unlabelled': 2500,
    }
    assert len(set.union(*pids.values())) == 2750
    assert len(persons) == 2750


def test_each_query_has_a_match_by_another_camera():
    gallery, queries = defaultdict(set), []
    for file in plan_files(SyntheticSettings()):
        if file.path.startswith('bounding_box_test'):
            gallery[file.pid].add(file.picture.camera)
        elif file.path.startswith('query'):
            queries.append((file.pid, file.picture.camera))
    assert all(gallery[pid] - {camera} for pid, camera in queries)


def test_names_of_the_pool_are_shuffled_and_carry_no_id():
    files = [file for file in plan_files(SyntheticSettings()) if file.path.startswith('unlabelled')]
    assert osp.basename(files[7].path)[:8] == '000007_c'
    neighbours = sum(a.pid == b.pid for a, b in zip(files, files[1:], strict=False))
    assert neighbours < 20  # 5 expected in a random order, 12,500 in the order of the people


def test_more_people_leave_the_pictures_of_the_others_alone(tiny_settings):
    before = {file.picture for file in plan_files(tiny_settings)}
    after = {file.picture for file in plan_files(replace(tiny_settings, train_ids=5))}
    assert before < after


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'domain': 'c'}, "domain must be one of .* but is 'c'"),
        ({'image_size': (128, 8)}, 'at least 16 pixels'),
        ({'train_ids': 0}, 'train_ids must be at least 1, but is 0'),
        ({'seed': -1}, 'seed must be at least 0'),
        ({'num_cameras': 1}, 'num_cameras must be 2 to 9'),
        ({'queries_per_id': 5}, r'queries_per_id \(5\) must not exceed num_cameras'),
        ({'test_images_per_id': 2}, r'must be less than test_images_per_id \(2\)'),
    ],
)
def test_bad_settings_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        SyntheticSettings(**change)

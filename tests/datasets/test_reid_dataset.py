import logging

import numpy as np
import pytest
from literal_definitions import literal_ranking
from mmengine.logging import MMLogger

from passreid.datasets import ReIDDataset
from passreid.registry import DATASETS

FILES = {
    'train': [('t/c.jpg', 7, 0), ('t/a.jpg', 3, 2), ('t/d.jpg', -1, 0), ('t/b.jpg', 7, -1)]
    + [('t/e.jpg', 0, 0), ('t/f.jpg', 250, 0)],
    'query': [('q/a.jpg', 9, 1), ('q/b.jpg', 4, 0)],
    'gallery': [('g/a.jpg', 0, 3), ('g/b.jpg', -1, 0), ('g/c.jpg', 9, 2)],
}


class Toy(ReIDDataset):
    root_names = ('toy', 'Toy-v1')
    folders = {'train': 't', 'query': 'q', 'gallery': 'g'}
    distractor_pids = (0,)

    def list_split(self, root, split):
        return FILES[split]


@pytest.fixture
def root(tmp_path):
    for folder in 'tqg':
        (tmp_path / folder).mkdir()
    return str(tmp_path)


def fields(dataset, name):
    return [dataset[idx][name] for idx in range(len(dataset))]


def test_train_is_relabelled_in_the_order_of_pids(root):
    dataset = Toy(root)
    assert fields(dataset, 'img_path') == [f'{root}/t/{name}.jpg' for name in 'cabf']
    assert fields(dataset, 'gt_label') == [1, 0, 1, 2]
    assert fields(dataset, 'cam_id') == [0, 2, -1, 0]
    assert fields(dataset, 'is_query') == [False] * 4
    assert fields(dataset, 'sample_idx') == [0, 1, 2, 3]
    assert (dataset.num_ids, dataset.num_cameras) == (3, 2)
    assert not dataset.test_mode


def test_pid_zero_is_a_person_like_any_other_unless_it_is_a_distractor(root, monkeypatch):
    monkeypatch.setattr(Toy, 'distractor_pids', ())
    assert fields(Toy(root), 'gt_label') == [2, 1, 2, 0, 3]


def test_test_split_is_query_then_gallery_with_raw_pids(root):
    dataset = Toy(root, 'test')
    assert fields(dataset, 'gt_label') == [9, 4, 0, 9]
    assert fields(dataset, 'is_query') == [True, True, False, False]
    assert fields(dataset, 'cam_id') == [1, 0, 3, 2]
    assert (dataset.num_ids, dataset.num_cameras) == (3, 4)
    assert dataset.test_mode


@pytest.mark.parametrize(('split', 'pids'), [('query', [9, 4]), ('gallery', [0, 9])])
def test_single_splits(root, split, pids):
    dataset = Toy(root, split)
    assert fields(dataset, 'gt_label') == pids
    assert fields(dataset, 'is_query') == [split == 'query'] * 2


@pytest.mark.parametrize('split', ['train', 'test'])
def test_fields_are_plain_python(root, split):
    for value, kind in (('gt_label', int), ('cam_id', int), ('is_query', bool)):
        assert {type(entry) for entry in fields(Toy(root, split), value)} == {kind}


class Whole(ReIDDataset):
    """A data set that lists its samples itself, as data sets of mmengine do."""

    def load_data_list(self):
        names = ('img_path', 'gt_label', 'cam_id', 'is_query')
        return [dict(zip(names, row, strict=True)) for row in self.metainfo['rows']]


@pytest.mark.parametrize('place', [1, 2])
@pytest.mark.parametrize('value', ['-1', '7', None, 3.0, True, np.float32(2), np.bool_(True)])
@pytest.mark.parametrize('split', ['train', 'query'])
def test_ids_that_are_no_integers(root, split, place, value, monkeypatch):
    row = ['x/odd.jpg', 5, 0]
    row[place] = value
    monkeypatch.setitem(FILES, split, [*FILES[split], tuple(row)])
    name = ('gt_label', 'cam_id')[place - 1]
    with pytest.raises(TypeError, match=rf'(?s)Toy.*{name}.*x/odd\.jpg') as error:
        Toy(root, split)
    assert repr(value) in str(error.value)
    rows = [('a.jpg', 1, 0, False), (*row, False)]
    with pytest.raises(TypeError, match=rf'(?s)Whole.*{name}.*x/odd\.jpg'):
        Whole(root, metainfo={'rows': rows})


@pytest.mark.parametrize('kind', [np.int64, np.uint8, np.int32])
def test_integers_of_numpy_are_integers(root, kind, monkeypatch):
    files = [(path, kind(abs(pid)), kind(camera)) for path, pid, camera in FILES['gallery']]
    monkeypatch.setitem(FILES, 'gallery', files)
    dataset = Toy(root, 'gallery')
    assert fields(dataset, 'gt_label') == [0, 1, 9]
    assert {type(value) for name in ('gt_label', 'cam_id') for value in fields(dataset, name)} == {
        int
    }


def test_columns_follow_subsets(root):
    dataset = Toy(root, indices=[3, 0])
    np.testing.assert_array_equal(dataset.pids, [2, 1])
    np.testing.assert_array_equal(dataset.cam_ids, [0, 0])
    np.testing.assert_array_equal(Toy(root).get_subset([1]).pids, [0])
    assert dataset.pids.dtype == np.int64
    assert dataset.num_ids == 2
    dataset.get_subset_([1])
    np.testing.assert_array_equal(dataset.pids, [1])
    np.testing.assert_array_equal(Toy(root).get_subset(2).cam_ids, [0, 2])


def test_columns_are_read_once_and_not_shared(root, monkeypatch):
    dataset = Toy(root)
    monkeypatch.setattr(dataset, 'get_data_info', None)
    dataset.pids[:] = 9
    np.testing.assert_array_equal(dataset.pids, [1, 0, 1, 2])
    assert Toy(root, lazy_init=True).pids.tolist() == [1, 0, 1, 2]


def test_columns_follow_labels_that_change(root):
    dataset = Toy(root, serialize_data=False)
    assert dataset.pids.tolist() == [1, 0, 1, 2]
    dataset.data_list[0]['gt_label'] = 5
    assert dataset.pids.tolist() == [5, 0, 1, 2]


@pytest.mark.parametrize('name', ['toy', 'Toy-v1'])
def test_root_may_be_the_folder_above(tmp_path, name):
    (tmp_path / name / 't').mkdir(parents=True)
    assert Toy(str(tmp_path))[0]['img_path'] == f'{tmp_path}/{name}/t/c.jpg'


def test_missing_folder_shows_the_tree(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        Toy(str(tmp_path))
    assert str(error.value) == (
        f'Toy not found in {tmp_path}. Expected there or below it as toy or Toy-v1:\n'
        f'{tmp_path}/\n    t/\n    q/\n    g/'
    )


def test_only_the_folders_of_the_split_are_needed(tmp_path):
    (tmp_path / 't').mkdir()
    assert len(Toy(str(tmp_path))) == 4
    (tmp_path / 'q').mkdir()
    with pytest.raises(FileNotFoundError, match='Toy not found'):
        Toy(str(tmp_path), 'test')


@pytest.mark.parametrize('files', [[], [('t/a.jpg', -1, 0), ('t/b.jpg', 0, 0)]])
def test_empty_split_is_an_error(root, files, monkeypatch):
    monkeypatch.setitem(FILES, 'train', files)
    with pytest.raises(ValueError, match=f'the train split of Toy in {root} is empty'):
        Toy(root)


def test_unknown_split(root):
    with pytest.raises(ValueError, match="split must be 'train', .*'test', but is 'val'"):
        Toy(root, 'val')


def test_split_table_is_logged_once(root, log):
    for _ in range(2):
        Toy(root, 'test')
    table = log()[log().index('Toy in') :].splitlines()
    assert [line.split() for line in table[1:4]] == [
        ['split', 'ids', 'images', 'cameras'],
        ['query', '2', '2', '2'],
        ['gallery', '2', '2', '2'],
    ]
    assert log().count('Toy in') == 1


def test_split_table_waits_for_a_logger_that_shows_it(root, log):
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.ERROR)
    Toy(root)
    logger.setLevel(level)
    assert 'Toy in' not in log()
    Toy(root)
    assert 'Toy in' in log()


@pytest.fixture
def told(monkeypatch):
    """Levels and texts of what is said of queries."""
    lines = []
    name = 'passreid.datasets.reid_dataset.log_once'
    monkeypatch.setattr(name, lambda *line: lines.append(line) if ' queries ' in line[1] else None)
    return lines


@pytest.mark.parametrize('seed', range(6))
def test_queries_without_a_match_are_counted_as_the_metric_does(root, seed, told, monkeypatch):
    # Cameras may be unknown, and query files may be in the gallery too.
    rng = np.random.default_rng(seed)
    files = [(f'{n}.jpg', int(rng.integers(30)), int(rng.integers(-1, 3))) for n in range(60)]
    query, gallery = files[:20], files[int(rng.integers(10, 21)) :]
    monkeypatch.setitem(FILES, 'query', query)
    monkeypatch.setitem(FILES, 'gallery', gallery)
    for split in ('query', 'gallery', 'test'):
        Toy(root, split)
    labels = [[file[place] for file in side] for place in (1, 2) for side in (query, gallery)]
    same_image = [gallery.index(file) if file in gallery else -1 for file in query]
    scores = literal_ranking(np.zeros((len(query), len(gallery))), *labels, same_image)
    unmatched = sum('first' not in score for score in scores)
    assert 0 < unmatched < 20
    ((level, text),) = told
    assert f'{unmatched} of 20 queries' in text
    assert level == logging.INFO


@pytest.mark.parametrize(
    ('query', 'gallery', 'words'),
    [
        ([(9, 1), (4, 0)], [(9, 2), (4, 1)], None),
        ([(9, 1), (4, 0)], [(9, 1), (5, 2)], ['2 of 2 queries']),
        ([(9, 1), (4, 3)], [(9, 3), (4, 3)], ['1 of 2 queries', 'cam_id 3']),
        ([(9, 1), (4, 1)], [(9, 3), (4, 3)], ['0 of 2 queries', 'cam_id 3']),
        ([(9, -1), (4, -1)], [(9, -1), (4, -1)], None),
    ],
)
def test_a_test_set_that_measures_little_is_warned_of(
    root, query, gallery, words, told, monkeypatch
):
    for split, people in (('query', query), ('gallery', gallery)):
        files = [(f'{split}/{n}.jpg', *person) for n, person in enumerate(people)]
        monkeypatch.setitem(FILES, split, files)
    Toy(root, 'test')
    if words is None:
        assert not told
    else:
        ((level, text),) = told
        assert level == logging.WARNING and all(word in text for word in words)


@pytest.mark.parametrize(('published', 'warned'), [((3, 4), False), ((3, 5), True), ((2, 4), True)])
def test_counts_that_differ_from_the_published_ones(root, published, warned, log, monkeypatch):
    monkeypatch.setattr(Toy, 'expected_counts', {'train': published})
    Toy(root)
    text = f'Toy was published with {published[1]} images of {published[0]} ids in its train split'
    assert (text in log()) == warned


def test_counts_that_are_merely_quoted(root, log, monkeypatch):
    monkeypatch.setattr(Toy, 'expected_counts', {'train': (1, 1)})
    monkeypatch.setattr(Toy, 'quoted_counts', ('train',))
    Toy(root)
    assert 'Toy is commonly quoted with 1 images of 1 ids in its train split' in log()


def test_base_class_says_what_it_lacks(root):
    with pytest.raises(NotImplementedError, match='ReIDDataset does not say which files it has'):
        ReIDDataset(root)
    assert DATASETS.get('ReIDDataset') is ReIDDataset

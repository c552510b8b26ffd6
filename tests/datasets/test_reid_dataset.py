import numpy as np
import pytest

from passreid.datasets import ReIDDataset

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


def rows(dataset):
    """Return path, person, camera and whether it is a query, of each sample."""
    samples = list(dataset)
    assert [sample['sample_idx'] for sample in samples] == list(range(len(dataset)))
    names = 'img_path', 'gt_label', 'cam_id', 'is_query'
    return [tuple(sample[name] for name in names) for sample in samples]


def test_train_is_relabelled_in_the_order_of_pids(root):
    dataset = Toy(root)
    expected = zip('cabf', [1, 0, 1, 2], [0, 2, -1, 0], strict=True)
    assert rows(dataset) == [(f'{root}/t/{n}.jpg', pid, cam, False) for n, pid, cam in expected]
    assert (dataset.num_ids, dataset.num_cameras) == (3, 2) and not dataset.test_mode


def test_test_split_is_query_then_gallery_with_raw_pids(root):
    dataset = Toy(root, 'test')
    expected = [(9, 1, True), (4, 0, True), (0, 3, False), (9, 2, False)]
    assert [row[1:] for row in rows(dataset)] == expected
    assert (dataset.num_ids, dataset.num_cameras) == (3, 4) and dataset.test_mode


def test_folders_are_looked_for_and_shown_when_missing(tmp_path):
    (tmp_path / 't').mkdir()
    assert len(Toy(str(tmp_path))) == 4
    (tmp_path / 'q').mkdir()
    with pytest.raises(FileNotFoundError) as error:
        Toy(str(tmp_path), 'test')
    assert f'toy or Toy-v1:\n{tmp_path}/\n    t/\n    q/\n    g/' in str(error.value)
    (tmp_path / 't').rename(tmp_path / 'g')
    (tmp_path / 'Toy-v1' / 't').mkdir(parents=True)
    with pytest.raises(ValueError, match="'val'"):
        Toy(str(tmp_path), 'val')
    assert Toy(str(tmp_path))[0]['img_path'] == f'{tmp_path}/Toy-v1/t/c.jpg'


@pytest.mark.parametrize(('published', 'warned'), [((3, 4), False), ((3, 5), True)])
def test_counts_that_differ_from_the_published_ones(root, published, warned, log, monkeypatch):
    monkeypatch.setattr(Toy, 'expected_counts', {'train': published})
    for _ in range(2):
        Toy(root)
    assert log().count('published one 5 of 3') == warned
    assert 'train 3 4 2' in ' '.join(log().split())


def test_columns_follow_subsets(root):
    dataset = Toy(root, indices=[3, 0])
    assert (dataset.pids.tolist(), dataset.pids.dtype, dataset.num_ids) == ([2, 1], np.int64, 2)
    assert Toy(root, lazy_init=True).get_subset([1]).pids.tolist() == [0]
    assert Toy(root).get_subset(2).cam_ids.tolist() == [0, 2]

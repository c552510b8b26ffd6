import json

import numpy as np
import pytest

from passreid.evaluation import load_result
from passreid.evaluation.metrics.result_file import save_result


@pytest.fixture
def arrays():
    return dict(
        features=np.eye(4, dtype=np.float32),
        pids=np.array([7, 7, 8, 9]),
        cam_ids=np.array([0, 1, -1, 0]),
        is_query=np.array([True, False, False, True]),
        img_paths=np.array(['a.jpg', 'b/ü.jpg', 'c.jpg', 'd.jpg']),
        indices=np.array([[0, 1], [1, -1]]),
        distances=np.array([[0.1, 0.2], [0.3, np.inf]], np.float32),
        average_precision=np.array([1, np.nan]),
    )


def test_what_is_saved_is_loaded(arrays, tmp_path):
    save_result(tmp_path / 'new', arrays, {'mAP': 50.0})
    result = load_result(tmp_path / 'new')
    assert result.query_paths.tolist() == ['a.jpg', 'd.jpg']
    assert result.gallery_paths.tolist() == ['b/ü.jpg', 'c.jpg']
    assert (result.query_pids.tolist(), result.gallery_pids.tolist()) == ([7, 9], [7, 8])
    assert (result.query_cam_ids.tolist(), result.gallery_cam_ids.tolist()) == ([0, 0], [1, -1])
    for name in ('indices', 'distances', 'average_precision'):
        np.testing.assert_array_equal(getattr(result, name), arrays[name])
    assert json.loads((tmp_path / 'new' / 'metrics.json').read_text()) == {'mAP': 50.0}


def test_saving_again_replaces_and_leaves_nothing_else(arrays, tmp_path):
    for value in (1.0, 2.0):
        save_result(tmp_path, arrays | {'pids': np.full(4, int(value))}, {'mAP': value})
    assert load_result(tmp_path).query_pids.tolist() == [2, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ['metrics.json', 'result.npz']


def test_failure_leaves_the_old_file(arrays, tmp_path, monkeypatch):
    save_result(tmp_path, arrays, {})

    def fail(file, **arrays):
        file.write(b'half')
        raise OSError('disk full')

    monkeypatch.setattr(np, 'savez', fail)
    with pytest.raises(OSError, match='disk full'):
        save_result(tmp_path, arrays, {})
    assert len(load_result(tmp_path).query_pids) == 2


def test_reranked_lists(arrays, tmp_path):
    ranking = ('indices', 'distances', 'average_precision')
    save_result(tmp_path, arrays | {f'rerank_{name}': -arrays[name] for name in ranking}, {})
    result = load_result(tmp_path, rerank=True)
    np.testing.assert_array_equal(result.distances, -arrays['distances'])
    save_result(tmp_path, arrays, {})
    with pytest.raises(ValueError, match='no re-ranked lists'):
        load_result(tmp_path, rerank=True)


def test_missing_and_foreign_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'result\.npz'):
        load_result(tmp_path)
    np.savez(tmp_path / 'result.npz', features=np.zeros(3))
    with pytest.raises(ValueError, match=r'result\.npz'):
        load_result(tmp_path)


@pytest.mark.parametrize('content', [b'', b'PK\3\4', b'text'])
def test_file_that_is_no_archive_is_named(tmp_path, content):
    (tmp_path / 'result.npz').write_bytes(content)
    with pytest.raises(ValueError, match=r'result\.npz'):
        load_result(tmp_path)


@pytest.mark.parametrize(
    'change',
    [
        {'img_paths': np.array([{}, {}, {}, {}], dtype=object)},
        {'pids': np.arange(9)},
        {'is_query': np.array([1, 0, 1, 0])},
        {'indices': np.full((2, 2), 99)},
        {'indices': np.full((2, 2), -7)},
        {'indices': np.zeros(4, int)},
        {'distances': np.zeros((1, 1))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_contradictions_name_the_file(arrays, tmp_path, change):
    np.savez(tmp_path / 'result.npz', **(arrays | change))
    with pytest.raises(ValueError, match=r'result\.npz'):
        load_result(tmp_path)

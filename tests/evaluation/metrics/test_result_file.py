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


def test_reranked_lists(arrays, tmp_path):
    ranking = ('indices', 'distances', 'average_precision')
    save_result(tmp_path, arrays | {f'rerank_{name}': -arrays[name] for name in ranking}, {})
    result = load_result(tmp_path, rerank=True)
    np.testing.assert_array_equal(result.distances, -arrays['distances'])
    save_result(tmp_path, arrays, {})
    with pytest.raises(ValueError, match='no re-ranked lists'):
        load_result(tmp_path, rerank=True)


@pytest.mark.parametrize('content', [None, b'', b'PK\3\4', b'text'])
def test_missing_and_damaged_files_are_named(tmp_path, content):
    if content is not None:
        (tmp_path / 'result.npz').write_bytes(content)
    with pytest.raises((FileNotFoundError, ValueError), match=r'result\.npz'):
        load_result(tmp_path)

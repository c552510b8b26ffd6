import cv2
import numpy as np
import pytest

from passreid.evaluation import load_result
from passreid.evaluation.metrics.result_file import save_result

PRECISION = [0.5, np.nan, 1.0, 0.25, 0.75]


@pytest.fixture
def tool(load_tool):
    return load_tool('visualization/vis_ranking')


@pytest.fixture
def saved(tmp_path):
    """A result of five queries and three gallery images, re-ranked in the opposite order."""
    paths = [f'query/{n:04d}_c1.png' for n in range(5)] + [f'gallery/{n:04d}.png' for n in range(3)]
    for path in paths:
        (tmp_path / 'data' / path).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / 'data' / path), np.full((32, 16, 3), 90, np.uint8))
    indices = np.array([[0, 1, 2]] * 4 + [[2, -1, -1]])
    arrays = dict(
        features=np.zeros((8, 2), np.float32),
        pids=np.array([0, 1, 2, 0, 1, 0, 1, 2]),
        cam_ids=np.array([0] * 5 + [1] * 3),
        is_query=np.arange(8) < 5,
        img_paths=np.array([str(tmp_path / 'data' / path) for path in paths]),
        indices=indices,
        distances=np.where(indices < 0, np.inf, indices / 4),
        average_precision=np.array(PRECISION),
        rerank_indices=indices[:, ::-1],
        rerank_distances=indices / 4,
        rerank_average_precision=np.array(PRECISION)[::-1],
    )
    save_result(tmp_path / 'result', arrays, {})
    return tmp_path / 'result'


@pytest.fixture
def draw(run, saved):
    """Draw, and return the picture and what was printed."""

    def call(*arguments):
        words = [saved, '--out', 'new/ranking.png', '--topk', '3', '--dpi', '50', *arguments]
        text = run('visualization/vis_ranking', *words)
        return cv2.imread('new/ranking.png'), text

    return call


@pytest.mark.parametrize(
    ('which', 'number', 'expected'),
    [
        ('best', 2, [2, 4]),
        ('worst', 2, [3, 0]),
        ('both', 3, [2, 4, 3]),
        ('both', 8, [2, 4, 3, 0]),
        ('random', 8, [0, 2, 3, 4]),
    ],
)
def test_choice_by_average_precision(tool, saved, which, number, expected):
    result = load_result(saved)
    assert tool.choose_queries(result, which, number, seed=0).tolist() == expected


def test_queries_by_name(tool, saved):
    result = load_result(saved)
    names = ['0003_c1.png', '0001_c1', 'query/0000_c1.png', result.query_paths[2]]
    assert tool.find_queries(result, names).tolist() == [3, 1, 0, 2]
    with pytest.raises(ValueError, match='no query is called 003_c1.png; there are 0000_c1.png'):
        tool.find_queries(result, ['003_c1.png'])


def test_picture_has_a_row_for_each_query(draw):
    heights = [draw('-n', number)[0].shape[0] for number in (1, 2, 3)]
    assert heights[2] - heights[1] == heights[1] - heights[0] > 80
    plain, text = draw('-n', 3, '--which', 'random', '--seed', 1)
    assert 'Wrote the lists of 3 queries' in text and 'missing' not in text
    reranked, _ = draw('-n', 3, '--which', 'random', '--seed', 1, '--rerank')
    assert not np.array_equal(plain, reranked)
    assert '1 queries' in draw('--query', '0001_c1')[1]


def test_data_set_that_was_moved(draw, tmp_path):
    here, _ = draw()
    (tmp_path / 'data').rename(tmp_path / 'moved')
    gone, text = draw()
    assert not np.array_equal(gone, here)
    assert '7 images are missing; --data-root' in text
    assert np.array_equal(draw('--data-root', tmp_path / 'moved')[0], here)
    with pytest.raises(SystemExit):
        draw('--data-root', tmp_path / 'nowhere')


def test_what_is_wrong_is_named(draw):
    with pytest.raises(ValueError, match='the first 3 images'):
        draw('--topk', 4)

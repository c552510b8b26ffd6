import cv2
import numpy as np
import pytest

from passreid.evaluation.metrics.result_file import save_result


@pytest.fixture
def tool(load_tool):
    return load_tool('analysis_tools/choose_threshold')


def save(folder, features, pids, cam_ids, is_query, paths):
    """Save a result as ReIDMetric does; the lists hold the nearest image alone."""
    queries = int(np.sum(is_query))
    ranking = dict(
        indices=np.zeros((queries, 1), int),
        distances=np.zeros((queries, 1), np.float32),
        average_precision=np.ones(queries),
    )
    samples = dict(
        features=np.float32(features),
        pids=np.array(pids),
        cam_ids=np.array(cam_ids),
        is_query=np.array(is_query),
        img_paths=np.array(paths),
    )
    save_result(folder, samples | ranking, {})
    return folder


@pytest.fixture
def saved(tmp_path):
    """20 people in two dimensions, each seen by two cameras: 20 queries, 40 gallery images."""
    rng = np.random.default_rng(0)
    pids = np.tile(np.arange(20), 3)
    angles = pids * 0.3 + rng.normal(0, 0.05, 60)
    features = 3 * np.stack([np.cos(angles), np.sin(angles)], 1)
    is_query = np.arange(60) < 20
    paths = [f'{number}.jpg' for number in range(60)]
    return save(tmp_path, features, pids, [0] * 40 + [1] * 20, is_query, paths)


@pytest.fixture
def choose(run):
    return lambda *arguments: run('analysis_tools/choose_threshold', *arguments)


def literal_rates(folder, threshold):
    """Rates of false and of true matches at a threshold."""
    with np.load(folder / 'result.npz') as data:
        features, pids, cameras = data['features'].astype(float), data['pids'], data['cam_ids']
        query = data['is_query']
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    accepted = features[query] @ features[~query].T >= threshold
    same = pids[query][:, None] == pids[~query]
    other_camera = cameras[query][:, None] != cameras[~query]
    return accepted[~same].mean(), accepted[same & other_camera].mean()


def test_table(choose, saved):
    lines = choose(saved, '--false-match-rate', '0.05').splitlines()
    assert lines[0] == '20 pairs of one person, 760 of two people'
    marked = [line.startswith('>') for line in lines[2:7]]
    assert marked == [False, True, False, False, False]
    rows = {float(row[0]): row for row in (line.strip('>').split() for line in lines[2:7])}
    assert list(rows) == [0.1, 0.05, 0.01, 0.001, 0.0001]
    for rate, (_, threshold, false_matches, true_rate, *doubt) in rows.items():
        false_rate, expected = literal_rates(saved, float(threshold))
        assert false_rate <= rate
        assert int(false_matches) == round(false_rate * 760) <= rate * 760
        assert float(true_rate.strip('%')) == pytest.approx(100 * expected, abs=0.06)
        assert doubt == ([] if int(false_matches) >= 30 else ['uncertain'])
    assert 'this set supports rates from 0.039 on' in lines[7]


def test_image_that_is_its_own_query_does_not_count(tool, tmp_path):
    features = [[1, 0], [0, 1], [1, 0.1], [1, 0], [0.2, 1]]
    is_query = [True, True, False, False, False]
    paths = ['a.jpg', 'b.jpg', 'c.jpg', 'a.jpg', 'd.jpg']
    folder = save(tmp_path, features, [1, 2, 1, 1, 2], [-1] * 5, is_query, paths)
    curve = tool.count_similarities(folder)
    assert (curve.matching.sum(), curve.others.sum()) == (2, 3)


def test_picture(tool, choose, saved):
    out = saved / 'new' / 'threshold.png'
    printed = choose(saved, '--out', out, '--dpi', '50', '--false-match-rate', 0.01)
    assert f'Wrote {out}' in printed and cv2.imread(str(out)).std() > 10
    curve = tool.count_similarities(saved)
    point = curve.threshold(0.05)
    figure = tool.draw(curve, point)
    for axes in figure.axes:
        assert point.similarity in [line.get_xdata()[0] for line in axes.get_lines()]
    assert tool.up_to(point.similarity) in figure.get_suptitle()


def test_what_is_wrong_is_named(choose, saved, tmp_path):
    with pytest.raises(ValueError, match='false match rate is 2'):
        choose(saved, '--false-match-rate', '2')
    with pytest.raises(FileNotFoundError, match='tools/test.py --out'):
        choose(tmp_path / 'nothing')

import numpy as np
import pytest
import torch
from literal_definitions import literal_ranking, literal_summary, random_people

from passreid.evaluation.functional import evaluate_rank

NAMES = ('q_pids', 'g_pids', 'q_camids', 'g_camids')


@pytest.fixture
def recorded(reference):
    data = reference('ranking')
    return data, [data[name] for name in NAMES]


@pytest.mark.parametrize(
    ('distances', 'prefix'), [('distmat', ''), ('rerank_dist', 'rerank_'), ('distmat', 'cc/')]
)
def test_recorded_scores(recorded, distances, prefix):
    data, labels = recorded
    names = {'cc/': ('mean_ap', 'cmc_market')}.get(prefix, ('mAP', 'cmc'))
    expected_map, expected_cmc = (data[prefix + name].numpy() for name in names)
    scores = evaluate_rank(data[distances], *labels, max_rank=len(expected_cmc))
    assert scores.mAP == pytest.approx(float(expected_map), abs=1e-7)
    np.testing.assert_allclose(scores.cmc, expected_cmc, atol=1e-7)
    assert (scores.valid == data['valid_query'].numpy()).all()


def test_recorded_ties_are_broken_by_the_order_of_the_gallery(recorded):
    data, labels = recorded
    distances = data['tied/distmat']
    scores = evaluate_rank(distances, *labels)
    expected = literal_summary(
        literal_ranking(distances.numpy(), *(label.numpy() for label in labels)), 50
    )
    for score, value in zip((scores.mAP, scores.cmc, scores.mINP), expected, strict=True):
        np.testing.assert_allclose(score, value, atol=1e-12)
    # The recorded order of ties is that of an unstable sort, somewhere between these.
    match = 0.01 * (labels[0][:, None] == labels[1])
    best, worst = (evaluate_rank(distances + sign * match, *labels).mAP for sign in (-1, 1))
    assert worst < scores.mAP < best
    assert worst < float(data['tied/eval_func_mAP']) < best


@pytest.mark.parametrize('seed', range(40))
@pytest.mark.parametrize('levels', [None, 6, 1])
def test_equals_the_literal_definition(seed, levels):
    distances, labels, _ = random_people(seed, levels)
    max_rank = 30  # Often more than there are gallery items.
    scores = evaluate_rank(distances, *labels, max_rank=max_rank)
    literal = literal_ranking(distances, *labels)
    expected = literal_summary(literal, max_rank)
    for score, value in zip((scores.mAP, scores.cmc, scores.mINP), expected, strict=True):
        np.testing.assert_allclose(score, value, atol=1e-12)
    assert scores.valid.tolist() == ['first' in score for score in literal]


def test_many_matches_of_one_query():
    rng = np.random.default_rng(3)
    distances = np.floor(rng.random((3, 3000)) * 500)
    labels = np.zeros(3, int), rng.integers(0, 2, 3000), np.zeros(3, int), np.ones(3000, int)
    expected = literal_summary(literal_ranking(distances, *labels), 5)
    np.testing.assert_allclose(evaluate_rank(distances, *labels).mAP, expected[0], atol=1e-12)


def test_by_hand():
    # Ranks: the item of the same camera goes, so the hits are the 1st and 3rd of four.
    distances = [[0.1, 0.0, 0.2, 0.3, 0.4]]
    scores = evaluate_rank(distances, [5], [5, 5, 6, 5, 7], [0], [1, 0, 1, 2, 1], max_rank=3)
    assert scores.mAP == pytest.approx((1 + 2 / 3) / 2)
    assert scores.mINP == pytest.approx(2 / 3)
    assert scores.cmc.tolist() == [1, 1, 1]


def test_no_identity_is_special():
    for pid in (-1, 0):
        scores = evaluate_rank([[0.2, 0.1]], [pid], [pid, 3], [0], [1, 1], max_rank=2)
        assert scores.mAP == 0.5
        assert scores.cmc.tolist() == [0, 1]


def test_unknown_cameras_remove_nothing():
    for query, item in ((-1, -1), (-1, 2), (2, -1)):
        scores = evaluate_rank([[0.1, 0.2]], [1], [1, 2], [query], [item, 0])
        assert scores.mAP == 1


def test_rank_beyond_the_gallery_keeps_the_last_value():
    scores = evaluate_rank([[0.1, 0.2], [0.1, 0.2]], [1, 2], [1, 2], [0, 0], [1, 1], max_rank=50)
    assert scores.cmc[:2].tolist() == [0.5, 1]
    assert (scores.cmc[2:] == 1).all()
    assert scores.cmc.shape == (50,)


@pytest.mark.filterwarnings('error')
def test_distances_are_left_alone_and_may_be_of_any_kind():
    distances, labels, _ = random_people(1, levels=50)
    expected = evaluate_rank(distances, *labels).mAP
    kept = distances.copy()
    turned = torch.tensor(distances).T.contiguous().T
    kinds = [distances.astype(np.int32), distances.astype(np.float32), turned, distances.tolist()]
    kinds += [torch.tensor(distances, dtype=torch.bfloat16), torch.tensor(distances)]
    kinds[0].setflags(write=False)
    labels = [labels[0].tolist(), torch.tensor(labels[1]), labels[2].astype(np.int16), labels[3]]
    for kind in kinds:
        assert evaluate_rank(kind, *labels).mAP == expected
    assert (distances == kept).all()


def test_float64_is_ranked_as_float64():
    close = [[1.0, 1.0 - 1e-12]]
    assert evaluate_rank(close, [1], [2, 1], [0], [1, 1]).mAP == 1
    assert evaluate_rank(np.float32(close), [1], [2, 1], [0], [1, 1]).mAP == 0.5


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('item', [0, 3])
def test_odd_distances_name_the_query(value, item):
    distances = np.random.default_rng(0).random((5, 4))
    distances[3, item] = value
    # Item 3 shares identity and camera with every query: it is refused all the same.
    with pytest.raises(ValueError, match='query 3 are not all finite'):
        evaluate_rank(distances, [1] * 5, [2, 1, 2, 1], [0] * 5, [1, 1, 1, 0])


def test_nothing_to_score_is_an_error():
    with pytest.raises(ValueError, match='none of the 2 queries has a match'):
        evaluate_rank(np.zeros((2, 2)), [1, 2], [1, 3], [0, 0], [0, 1])


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'dist': np.zeros((2, 4))}, r'dist has shape \(2, 4\), expected \(2, 3\)'),
        ({'dist': np.zeros(3)}, r'dist has shape \(3,\), expected \(2, 3\)'),
        ({'q_camids': [0]}, 'q_camids has 1 values, q_pids has 2'),
        ({'g_camids': [0] * 4}, 'g_camids has 4 values, g_pids has 3'),
        ({'g_pids': [[1, 2, 3]]}, r'g_pids has shape \(1, 3\)'),
        ({'q_pids': [], 'q_camids': []}, 'q_pids is empty'),
        ({'max_rank': 0}, 'max_rank is 0'),
    ],
)
def test_what_does_not_fit_is_an_error(change, message):
    fitting = {
        'dist': np.zeros((2, 3)),
        'q_pids': [1, 2],
        'g_pids': [1, 2, 3],
        'q_camids': [0, 0],
        'g_camids': [1, 1, 1],
    }
    with pytest.raises(ValueError, match=message):
        evaluate_rank(**{**fitting, **change})


def test_labels_must_be_integers():
    with pytest.raises(TypeError, match='q_pids holds float64'):
        evaluate_rank([[0.0]], [1.0], [1], [0], [1])

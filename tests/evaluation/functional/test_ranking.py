import numpy as np
import pytest
import torch
from literal_definitions import literal_ranking, literal_summary, random_people
from torch.nn import functional as F

from passreid.evaluation.functional import evaluate_rank, rank_features, re_ranking

NAMES = ('q_pids', 'g_pids', 'q_camids', 'g_camids')


def whole_features(labels, seed=0, dims=6, spread=3):
    """Features of few whole numbers: distances are exact and often equal."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, spread, (len(pids), dims)).astype(np.float32) for pids in labels[:2]]


def squared(query, gallery):
    return ((query[:, None] - gallery[None]) ** 2).sum(-1)


def assert_scores(found, expected):
    for score, value in zip((found.mAP, found.cmc, found.mINP), expected, strict=True):
        np.testing.assert_allclose(score, value, atol=1e-12)


@pytest.fixture
def recorded(reference):
    data = reference('ranking')
    sides = [F.normalize(data[f'{side}_feat']) for side in ('query', 'gallery')]
    return data, sides, [data[name] for name in NAMES]


@pytest.mark.parametrize(
    ('distances', 'prefix'), [('distmat', ''), ('rerank_dist', 'rerank_'), ('distmat', 'cc/')]
)
def test_recorded_scores_of_distances(recorded, distances, prefix):
    data, _, labels = recorded
    names = {'cc/': ('mean_ap', 'cmc_market')}.get(prefix, ('mAP', 'cmc'))
    expected_map, expected_cmc = (data[prefix + name].numpy() for name in names)
    scores = evaluate_rank(data[distances], *labels, max_rank=len(expected_cmc))
    assert scores.mAP == pytest.approx(float(expected_map), abs=1e-7)
    np.testing.assert_allclose(scores.cmc, expected_cmc, atol=1e-7)
    assert (scores.valid == data['valid_query'].numpy()).all()


def test_recorded_ties_are_broken_by_the_order_of_the_gallery(recorded):
    data, _, labels = recorded
    distances = data['tied/distmat']
    scores = evaluate_rank(distances, *labels)
    literal = literal_ranking(distances.numpy(), *(label.numpy() for label in labels))
    assert_scores(scores, literal_summary(literal, 50))
    # The recorded order of ties is that of an unstable sort, somewhere between these.
    match = 0.01 * (labels[0][:, None] == labels[1])
    best, worst = (evaluate_rank(distances + sign * match, *labels).mAP for sign in (-1, 1))
    assert worst < scores.mAP < best
    assert worst < float(data['tied/eval_func_mAP']) < best


@pytest.mark.parametrize('metric', ['euclidean', 'cosine'])
def test_recorded_scores_of_features(recorded, metric):
    data, sides, labels = recorded
    if metric == 'cosine':
        sides = [data['query_feat'], data['gallery_feat']]
    result = rank_features(*sides, *labels, metric=metric, topk=200)
    assert result['mAP'] == pytest.approx(float(data['mAP']), abs=1e-7)
    np.testing.assert_allclose(result.cmc, data['cmc'], atol=1e-7)
    scale = 2 if metric == 'cosine' else 1
    counts = result.indices >= 0
    expected = np.take_along_axis(data['distmat'].numpy(), result.indices, 1)
    np.testing.assert_allclose(scale * result.distances[counts], expected[counts], atol=1e-6)


@pytest.mark.parametrize('parameters', [{}, {'k1': 7, 'k2': 2, 'lambda_value': 0.1}])
def test_re_ranked_scores_are_those_of_re_ranked_distances(recorded, parameters):
    data, sides, labels = recorded
    result = rank_features(*sides, *labels, rerank=parameters, chunk_size=7)
    distances = re_ranking(*sides, **parameters)
    expected = evaluate_rank(distances, *labels)
    assert result.mAP == pytest.approx(expected.mAP, abs=1e-6)
    np.testing.assert_allclose(result.cmc, expected.cmc, atol=1e-9)
    if not parameters:
        recorded_scores = evaluate_rank(data['rerank_dist_f32'], *labels)
        assert result.mAP == pytest.approx(recorded_scores.mAP, abs=1e-6)
        np.testing.assert_allclose(result.cmc, recorded_scores.cmc, atol=1e-9)


@pytest.mark.parametrize('seed', range(15))
@pytest.mark.parametrize('levels', [None, 6, 1])
def test_distances_are_ranked_by_the_literal_definition(seed, levels):
    distances, labels, _ = random_people(seed, levels)
    max_rank = 30  # Often more than there are gallery items.
    scores = evaluate_rank(distances, *labels, max_rank=max_rank)
    literal = literal_ranking(distances, *labels)
    assert_scores(scores, literal_summary(literal, max_rank))
    assert scores.valid.tolist() == ['first' in score for score in literal]


@pytest.mark.parametrize('seed', range(15))
def test_features_are_ranked_by_the_literal_definition(seed):
    _, labels, same_image = random_people(seed)
    query, gallery = whole_features(labels, seed)
    result = rank_features(
        query, gallery, *labels, max_rank=20, topk=12, same_image=same_image, chunk_size=4
    )
    distances = squared(query, gallery)
    literal = literal_ranking(distances, *labels, same_image)
    assert_scores(result, literal_summary(literal, 20))
    for row, score in enumerate(literal):
        for field, name in (
            (result.average_precision, 'average_precision'),
            (result.inverse_negative_penalty, 'inverse_negative_penalty'),
        ):
            np.testing.assert_allclose(field[row], score.get(name, np.nan), atol=1e-12)
        assert result.first_hit_rank[row] == score.get('first', 0)
        assert result.valid[row] == ('first' in score)
        kept = score['kept'][:12]
        exhausted = 12 - len(kept)
        assert result.indices[row].tolist() == kept + [-1] * exhausted
        np.testing.assert_array_equal(
            result.distances[row], [*distances[row, kept], *[np.inf] * exhausted]
        )


@pytest.mark.parametrize('seed', range(8))
def test_each_pair_of_cameras_is_the_literal_score_with_that_camera_alone(seed):
    _, labels, same_image = random_people(seed)
    query, gallery = whole_features(labels, seed, dims=4)
    table = rank_features(
        query, gallery, *labels, same_image=same_image, by_camera=True, chunk_size=3
    ).cameras
    q_camids, g_camids = labels[2:]
    np.testing.assert_array_equal(table.query_cam_ids, np.unique(q_camids))
    np.testing.assert_array_equal(table.gallery_cam_ids, np.unique(g_camids))
    for column, camera in enumerate(table.gallery_cam_ids):
        literal = literal_ranking(squared(query, gallery), *labels, same_image, camera)
        for row, query_camera in enumerate(table.query_cam_ids):
            valid = [
                score
                for score, own in zip(literal, q_camids, strict=True)
                if own == query_camera and 'first' in score
            ]
            expected = [
                (np.mean([score['average_precision'] for score in valid]) if valid else np.nan),
                (np.mean([score['first'] == 1 for score in valid]) if valid else np.nan),
            ]
            found = table.mAP[row, column], table.rank1[row, column]
            np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize('rerank', [None, {'k1': 5, 'k2': 3}])
def test_chunk_size_changes_nothing(rerank):
    _, labels, same_image = random_people(0)
    sides = whole_features(labels)
    number = len(labels[0])
    results = [
        rank_features(
            *sides,
            *labels,
            topk=5,
            same_image=same_image,
            rerank=rerank,
            by_camera=True,
            false_positive_rates=(0.01, 0.2),
            chunk_size=size,
        )
        for size in (None, 7, number + 5)
    ]
    for result in results[1:]:
        for name, first, other in zip(result._fields, results[0], result, strict=True):
            pairs = zip(first, other, strict=True) if name == 'cameras' else [(first, other)]
            for one, two in pairs:
                np.testing.assert_array_equal(one, two, err_msg=name)


@pytest.mark.parametrize('metric', ['euclidean', 'cosine'])
def test_reported_distances_are_not_negative(metric):
    features = torch.randn(50, 64, generator=torch.Generator().manual_seed(0)) + 3
    labels = np.arange(50), np.arange(50), np.zeros(50, int), np.ones(50, int)
    result = rank_features(features, features, *labels, metric=metric, topk=1)
    assert result.mAP == 1
    assert (result.distances >= 0).all()
    assert result.distances.max() < 1e-3


@pytest.mark.parametrize('pid', [-1, 0])
def test_no_identity_is_special_and_fields_have_names_and_places(pid):
    scores = evaluate_rank([[0.2, 0.1]], [pid], [pid, 3], [0], [1, 1], max_rank=2)
    assert scores['mAP'] == scores.mAP == scores[0] == 0.5
    assert scores['cmc'].tolist() == scores.cmc.tolist() == [0, 1]


@pytest.mark.filterwarnings('error')
def test_distances_are_left_alone_and_may_be_of_any_kind():
    distances, labels, _ = random_people(1, levels=50)
    expected = evaluate_rank(distances, *labels).mAP
    kept = distances.copy()
    tensor = torch.tensor(distances)
    kinds = [distances.astype(np.int32), tensor.T.contiguous().T, tensor.bfloat16()]
    labels = [labels[0].tolist(), torch.tensor(labels[1]), labels[2].astype(np.int16), labels[3]]
    for kind in (*kinds, distances.tolist()):
        assert evaluate_rank(kind, *labels).mAP == expected
    assert (distances == kept).all()


def test_float64_is_ranked_as_float64():
    close = [[1.0, 1.0 - 1e-12]]
    assert evaluate_rank(close, [1], [2, 1], [0], [1, 1]).mAP == 1
    assert evaluate_rank(np.float32(close), [1], [2, 1], [0], [1, 1]).mAP == 0.5


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_distances_that_are_not_finite_name_the_query(value):
    distances = np.random.default_rng(0).random((5, 4))
    distances[3, 3] = value
    # Item 3 shares identity and camera with every query: it is refused all the same.
    with pytest.raises(ValueError, match='query 3 '):
        evaluate_rank(distances, [1] * 5, [2, 1, 2, 1], [0] * 5, [1, 1, 1, 0])


@pytest.mark.parametrize(('side', 'name'), [(0, 'query_features'), (1, 'gallery_features')])
def test_features_that_are_not_finite_name_the_row(side, name):
    sides = [np.ones((5, 3)), np.ones((5, 3))]
    sides[side][[2, 4], 1] = np.nan
    labels = np.arange(5), np.arange(5), np.zeros(5, int), np.ones(5, int)
    with pytest.raises(ValueError, match=f'row 2 of {name}'):
        rank_features(*sides, *labels)


def test_nothing_to_score_is_an_error():
    with pytest.raises(ValueError, match='none of the 2 queries'):
        evaluate_rank(np.zeros((2, 2)), [1, 2], [1, 3], [0, 0], [0, 1])


LABELS = dict(q_pids=[1, 2], g_pids=[1, 2, 3], q_camids=[0, 0], g_camids=[1, 1, 1])
FEATURES = dict(query_features=np.ones((2, 4)), gallery_features=np.ones((3, 4)))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'dist': np.zeros((2, 4))}, 'dist'),
        ({'q_camids': [0]}, 'q_camids'),
        ({'q_pids': [], 'q_camids': []}, 'q_pids'),
        ({'q_pids': [1.0, 2.0]}, 'q_pids holds float64'),
        ({'max_rank': 0}, 'max_rank is 0'),
    ],
)
def test_distances_that_do_not_fit(change, message):
    with pytest.raises((ValueError, TypeError), match=message):
        evaluate_rank(**{'dist': np.zeros((2, 3)), **LABELS, **change})


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'query_features': np.ones((3, 4))}, 'query_features'),
        ({'gallery_features': np.ones((2, 4))}, 'gallery_features'),
        ({'query_features': np.ones((2, 5))}, 'query_features have 5 dimensions'),
        ({'metric': 'manhattan'}, "metric is 'manhattan'"),
        ({'topk': -1}, 'topk is -1'),
        ({'chunk_size': 0}, 'chunk_size is 0'),
        ({'same_image': [0, 3]}, 'same_image'),
        ({'rerank': {'k1': 0}}, 'k1 is 0'),
        ({'false_positive_rates': [0.1, 2]}, 'false positive rates'),
    ],
)
def test_features_that_do_not_fit(change, message):
    with pytest.raises(ValueError, match=message):
        rank_features(**{**FEATURES, **LABELS, **change})

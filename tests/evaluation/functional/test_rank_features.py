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


@pytest.fixture
def recorded(reference):
    data = reference('ranking')
    sides = [F.normalize(data[f'{side}_feat']) for side in ('query', 'gallery')]
    return data, sides, [data[name] for name in NAMES]


@pytest.mark.parametrize('metric', ['euclidean', 'cosine'])
def test_recorded_scores(recorded, metric):
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


def test_cosine_is_re_ranked_by_normalised_features(recorded):
    data, sides, labels = recorded
    raw = data['query_feat'], data['gallery_feat']
    results = [
        rank_features(*raw, *labels, metric='cosine', rerank={}),
        rank_features(*sides, *labels, rerank={}),
        rank_features(*raw, *labels, rerank={}),
    ]
    assert results[0].mAP == results[1].mAP
    assert results[0].mAP != results[2].mAP


@pytest.mark.parametrize('seed', range(30))
def test_equals_the_literal_definition(seed):
    _, labels, same_image = random_people(seed)
    query, gallery = whole_features(labels, seed)
    result = rank_features(
        query, gallery, *labels, max_rank=20, topk=12, same_image=same_image, chunk_size=4
    )
    distances = squared(query, gallery)
    literal = literal_ranking(distances, *labels, same_image)
    expected = literal_summary(literal, 20)
    for score, value in zip((result.mAP, result.cmc, result.mINP), expected, strict=True):
        np.testing.assert_allclose(score, value, atol=1e-12)
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


@pytest.mark.parametrize('rerank', [None, {'k1': 5, 'k2': 3}])
@pytest.mark.parametrize('seed', [0, 5])
def test_chunk_size_changes_nothing(seed, rerank):
    _, labels, same_image = random_people(seed)
    sides = whole_features(labels, seed)
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
        for size in (None, 1, 2, number - 1, number, number + 5)
    ]
    for result in results[1:]:
        for name, first, other in zip(result._fields, results[0], result, strict=True):
            pairs = zip(first, other, strict=True) if name == 'cameras' else [(first, other)]
            for one, two in pairs:
                np.testing.assert_array_equal(one, two, err_msg=name)


def test_random_features_rank_alike_in_any_chunks():
    rng = np.random.default_rng(0)
    labels = [rng.integers(0, top, n) for n, top in ((90, 20), (300, 20), (90, 4), (300, 4))]
    sides = [rng.standard_normal((n, 33)).astype(np.float32) for n in (90, 300)]
    distances = squared(*(side.astype(np.float64) for side in sides))
    expected = evaluate_rank(distances, *labels).mAP
    for size in (None, 1, 13, 64):
        assert rank_features(*sides, *labels, chunk_size=size).mAP == pytest.approx(
            expected, abs=1e-6
        )


def test_query_in_the_gallery_is_removed_by_its_image():
    features = torch.eye(3)
    labels = [1, 2, 1], [1, 2, 1], [-1] * 3, [-1] * 3
    found = rank_features(features, features, *labels, topk=1)
    assert found.indices[:, 0].tolist() == [0, 1, 2]
    assert found.mAP == pytest.approx(((1 + 2 / 3) / 2 + 1 + 1) / 3)
    result = rank_features(features, features, *labels, same_image=[0, 1, 2], topk=3)
    assert result.valid.tolist() == [True, False, True]
    assert result.indices[0].tolist() == [1, 2, -1]


@pytest.mark.parametrize('metric', ['euclidean', 'cosine'])
def test_reported_distances_are_not_negative(metric):
    features = torch.randn(50, 64, generator=torch.Generator().manual_seed(0)) + 3
    labels = np.arange(50), np.arange(50), np.zeros(50, int), np.ones(50, int)
    result = rank_features(features, features, *labels, metric=metric, topk=1)
    assert result.mAP == 1
    assert (result.distances >= 0).all()
    assert result.distances.max() < 1e-3


def test_halves_doubles_and_gradients_are_welcome():
    _, labels, _ = random_people(4)
    sides = whole_features(labels)
    expected = rank_features(*sides, *labels).mAP
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        kind = [torch.tensor(side, dtype=dtype, requires_grad=True) for side in sides]
        assert rank_features(*kind, *labels).mAP == expected


def test_progress_counts_queries():
    _, labels, _ = random_people(2)
    calls = []
    rank_features(
        *whole_features(labels), *labels, chunk_size=4, progress=lambda *call: calls.append(call)
    )
    total = len(labels[0])
    assert calls == [(min(done, total), total) for done in range(4, total + 4, 4)]


@pytest.mark.parametrize('value', [np.nan, np.inf])
@pytest.mark.parametrize(('side', 'name'), [(0, 'query_features'), (1, 'gallery_features')])
@pytest.mark.parametrize('rerank', [None, {}])
def test_odd_features_name_the_row(value, side, name, rerank):
    sides = [np.ones((5, 3)), np.ones((5, 3))]
    sides[side][[2, 4], 1] = value
    labels = np.arange(5), np.arange(5), np.zeros(5, int), np.ones(5, int)
    with pytest.raises(ValueError, match=f'row 2 of {name} holds nan or infinity'):
        rank_features(*sides, *labels, rerank=rerank)


@pytest.mark.parametrize('rerank', [None, {}])
@pytest.mark.parametrize('size', [1e25, 1.2e19])
def test_overflow_is_an_error(rerank, size):
    labels = [1, 2], [1, 2], [0, 0], [1, 1]
    with pytest.raises(ValueError, match=r'too large: squared distances overflow, as in row 1'):
        rank_features([[1.0], [size]], [[1.0], [2.0]], *labels, rerank=rerank)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'query_features': np.ones((3, 4))}, 'query_features has 3 rows, q_pids 2 values'),
        ({'gallery_features': np.ones((2, 4))}, 'gallery_features has 2 rows, g_pids 3 values'),
        ({'query_features': np.ones((2, 5))}, 'query_features have 5 dimensions'),
        ({'query_features': np.ones(2)}, r'query_features has shape \(2,\)'),
        ({'metric': 'manhattan'}, "metric is 'manhattan'"),
        ({'topk': -1}, 'topk is -1'),
        ({'chunk_size': 0}, 'chunk_size is 0'),
        ({'same_image': [0]}, 'same_image has 1 values, q_pids has 2'),
        ({'same_image': [0, 3]}, r'same_image\[1\] is 3'),
        ({'same_image': [-2, 0]}, r'same_image\[0\] is -2'),
        ({'rerank': {'k1': 0}}, 'k1 is 0'),
        ({'false_positive_rates': [0.1, 2]}, 'a false positive rate is 2'),
    ],
)
def test_what_does_not_fit_is_an_error(change, message):
    fitting = {
        'query_features': np.ones((2, 4)),
        'gallery_features': np.ones((3, 4)),
        'q_pids': [1, 2],
        'g_pids': [1, 2, 3],
        'q_camids': [0, 0],
        'g_camids': [1, 1, 1],
    }
    with pytest.raises(ValueError, match=message):
        rank_features(**{**fitting, **change})

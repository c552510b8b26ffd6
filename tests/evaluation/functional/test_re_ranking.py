import numpy as np
import pytest
import torch
from literal_definitions import literal_re_ranking, people
from torch.nn import functional as F

from passreid.evaluation.functional import (
    average_query_expansion,
    re_ranking,
)


def test_recorded_distances(reference):
    data = reference('ranking')
    sides = [F.normalize(data[f'{side}_feat']) for side in ('query', 'gallery')]
    distances = re_ranking(*sides)
    assert distances.dtype == np.float32
    np.testing.assert_allclose(distances, data['rerank_dist_f32'], rtol=0, atol=5e-6)


@pytest.mark.parametrize(
    ('number', 'num_queries', 'num_ids', 'parameters'),
    [
        (100, 10, 12, {}),
        (100, 99, 12, {'k1': 9, 'k2': 3}),
        (80, 30, 4, {'k1': 3, 'k2': 1, 'lambda_value': 0.7}),
        (80, 30, 20, {'k1': 6, 'k2': 9, 'lambda_value': 0.0}),
        (80, 1, 20, {'k1': 10, 'lambda_value': 1.0}),
        (12, 5, 3, {}),  # Fewer images than neighbors are asked for.
        (2, 1, 1, {'k1': 5}),
    ],
)
@pytest.mark.parametrize('spread', [4, 1, 0])  # With 0 all images of a person are copies.
def test_equals_the_dense_definition(number, num_queries, num_ids, parameters, spread):
    features, _ = people(number, number, num_ids, spread=spread)
    sides = features[:num_queries], features[num_queries:]
    expected = literal_re_ranking(*sides, **parameters)
    np.testing.assert_allclose(re_ranking(*sides, **parameters), expected, rtol=0, atol=2e-6)


def test_copies_in_float32_are_as_near_as_copies_are():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((30, 50)).astype(np.float32)
    features = np.concatenate([features, features, features])
    # Whole groups of copies are neighbors; rounding must not bring another one between them.
    distances = re_ranking(features[:30], features[30:], k1=5, k2=1, lambda_value=0)
    copies = np.arange(30), np.arange(30)
    np.testing.assert_allclose(distances[copies], 0, atol=1e-6)
    np.testing.assert_allclose(distances[:, 30:][copies], 0, atol=1e-6)


def test_number_of_threads_changes_nothing():
    features, _ = people(2, 120, 9)
    threads = torch.get_num_threads()
    results = []
    for number in (1, 3):
        torch.set_num_threads(number)
        results.append(re_ranking(features[:40], features[40:], k1=8))
    torch.set_num_threads(threads)
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize('function', [re_ranking, average_query_expansion])
def test_inputs_are_left_alone(function):
    features, _ = people(1, 30, 3)
    kept = features.copy()
    function(features[:10], features[10:])
    np.testing.assert_array_equal(features, kept)


def normalized(features):
    return features / np.linalg.norm(features, axis=1, keepdims=True)


@pytest.fixture
def sides():
    rng = np.random.default_rng(0)
    return rng.standard_normal((20, 6)), rng.standard_normal((50, 6)) * 3


@pytest.mark.parametrize('alpha', [0, 1, 3])
@pytest.mark.parametrize('k', [1, 4, 50, 70])
@pytest.mark.parametrize('chunk_size', [None, 7])
def test_equals_the_definition(sides, k, alpha, chunk_size):
    query, gallery = map(normalized, sides)
    expected = []
    for feature in query:
        cosines = gallery @ feature
        nearest = np.argsort(-cosines)[:k]
        weights = cosines[nearest].clip(0) ** alpha if alpha else np.ones(len(nearest))
        expected.append(feature + weights @ gallery[nearest])
    result = average_query_expansion(*sides, k=k, alpha=alpha, chunk_size=chunk_size)
    np.testing.assert_allclose(result, normalized(np.array(expected)), atol=1e-5)
    assert result.dtype == np.float32


@pytest.mark.parametrize(
    ('function', 'parameters'),
    [
        (re_ranking, dict(k1=0)),
        (re_ranking, dict(k2=0)),
        (re_ranking, dict(lambda_value=1.1)),
        (average_query_expansion, dict(k=0)),
        (average_query_expansion, dict(alpha=-1)),
    ],
)
def test_parameters_out_of_range_are_refused(sides, function, parameters):
    ((name, value),) = parameters.items()
    with pytest.raises(ValueError, match=f'{name} is {value}'):
        function(*sides, **parameters)

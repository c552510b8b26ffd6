import numpy as np
import pytest
import torch
from literal_definitions import literal_re_ranking, people
from torch.nn import functional as F

from passreid.evaluation.functional import re_ranking, re_ranking_chunks


def test_recorded_distances(reference):
    data = reference('ranking')
    sides = [F.normalize(data[f'{side}_feat']) for side in ('query', 'gallery')]
    distances = re_ranking(*sides)
    assert distances.dtype == np.float32
    np.testing.assert_allclose(distances, data['rerank_dist_f32'], rtol=0, atol=5e-6)


@pytest.mark.parametrize(
    ('number', 'num_queries', 'num_ids', 'parameters'),
    [
        (60, 20, 6, {}),
        (150, 10, 12, {}),
        (150, 149, 12, {'k1': 9, 'k2': 3}),
        (80, 30, 4, {'k1': 3, 'k2': 1, 'lambda_value': 0.7}),
        (80, 30, 20, {'k1': 6, 'k2': 9, 'lambda_value': 0.0}),
        (80, 1, 20, {'k1': 10, 'lambda_value': 1.0}),
        (12, 5, 3, {}),  # Fewer images than neighbours are asked for.
        (21, 10, 2, {}),
        (2, 1, 1, {'k1': 5}),
    ],
)
@pytest.mark.parametrize('spread', [4, 1, 0])  # With 0 all images of a person are copies.
def test_equals_the_dense_definition(number, num_queries, num_ids, parameters, spread):
    features, _ = people(number, number, num_ids, spread=spread)
    sides = features[:num_queries], features[num_queries:]
    expected = literal_re_ranking(*sides, **parameters)
    np.testing.assert_allclose(re_ranking(*sides, **parameters), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize('number', [10, 50])
def test_identical_features(number):
    features = np.full((number, 5), 3, np.float32)
    distances = re_ranking(features[:4], features[4:])
    expected = literal_re_ranking(features[:4], features[4:])
    np.testing.assert_allclose(distances, expected, rtol=0, atol=2e-6)


def test_copies_in_float32_are_as_near_as_copies_are():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((30, 50)).astype(np.float32)
    features = np.concatenate([features, features, features])
    # Whole groups of copies are neighbours; rounding must not bring another one between them.
    distances = re_ranking(features[:30], features[30:], k1=5, k2=1, lambda_value=0)
    copies = np.arange(30), np.arange(30)
    np.testing.assert_allclose(distances[copies], 0, atol=1e-6)
    np.testing.assert_allclose(distances[:, 30:][copies], 0, atol=1e-6)


def test_chunks_are_parts_of_the_whole():
    features, _ = people(1, 90, 9)
    sides = features[:31], features[31:]
    expected = re_ranking(*sides, k1=8)
    for size in (1, 10, 31, 40):
        chunks = [chunk.clone() for chunk in re_ranking_chunks(*sides, k1=8, chunk_size=size)]
        assert [len(chunk) for chunk in chunks[:-1]] == [size] * (len(chunks) - 1)
        np.testing.assert_array_equal(torch.cat(chunks), expected)


def test_number_of_threads_changes_nothing():
    features, _ = people(2, 120, 9)
    threads = torch.get_num_threads()
    results = []
    for number in (1, 3):
        torch.set_num_threads(number)
        results.append(re_ranking(features[:40], features[40:], k1=8))
    torch.set_num_threads(threads)
    np.testing.assert_array_equal(*results)


def test_inputs_are_left_alone():
    features, _ = people(1, 30, 3)
    kept = features.copy()
    re_ranking(features[:10], features[10:])
    np.testing.assert_array_equal(features, kept)


@pytest.mark.parametrize(
    ('parameters', 'message'),
    [
        ({'k1': 0}, 'k1 is 0'),
        ({'k2': 0}, 'k2 is 0'),
        ({'lambda_value': 1.1}, 'lambda_value is 1.1'),
        ({'lambda_value': -0.1}, 'lambda_value is -0.1'),
    ],
)
def test_parameters_out_of_range_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        re_ranking(np.ones((2, 3)), np.ones((2, 3)), **parameters)

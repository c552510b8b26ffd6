import numpy as np
import pytest
import torch

from passreid.evaluation.functional import average_query_expansion


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


def test_inputs_are_left_alone(sides):
    query, gallery = (torch.tensor(normalized(side), dtype=torch.float32) for side in sides)
    kept = query.clone(), gallery.clone()
    average_query_expansion(query, gallery, k=3)
    assert torch.equal(query, kept[0])
    assert torch.equal(gallery, kept[1])


@pytest.mark.parametrize(
    ('parameters', 'message'), [({'k': 0}, 'k is 0'), ({'alpha': -1}, 'alpha is -1')]
)
def test_parameters_out_of_range_are_refused(sides, parameters, message):
    with pytest.raises(ValueError, match=message):
        average_query_expansion(*sides, **parameters)

import numpy as np
import pytest
import torch
from literal_definitions import literal_jaccard, people
from scipy.sparse import csr_matrix

from passreid.clustering import jaccard_distance, neighbours

# Images, people, spread of an image around its person (0: copies), k1, k2.
SHAPES = {
    'as published': (90, 8, 2, 30, 6),
    'copies': (90, 8, 0, 30, 6),
    'some copies': (90, 30, 1, 12, 6),
    'no expansion': (90, 8, 3, 20, 1),
    'nobody twice': (60, 60, 2, 10, 3),
    'odd halves': (80, 10, 4, 7, 2),
    'alone in the set': (20, 5, 1, 1, 1),
    'fewer images than k1': (12, 2, 2, 30, 6),
    'fewer images than k2': (4, 2, 2, 3, 9),
    'k2 above k1': (50, 6, 2, 4, 9),
    'one image': (1, 1, 0, 30, 6),
    'two images': (2, 2, 2, 30, 6),
    'all alike': (40, 1, 0, 10, 4),
    'one person': (70, 1, 3, 20, 6),
}


def as_dense(distances):
    dense = np.ones(distances.shape, np.float32)
    entries = distances.tocoo()
    dense[entries.row, entries.col] = entries.data
    return dense


@pytest.mark.parametrize('length', [0.03125, 0.25])
@pytest.mark.parametrize('shape', SHAPES.values(), ids=SHAPES.keys())
def test_equals_the_dense_definition(shape, length):
    number, num_ids, spread, k1, k2 = shape
    features = people(number, number, num_ids, spread=spread)[0] * np.float32(length)
    found = jaccard_distance(features, k1, k2)
    expected = literal_jaccard(features, k1, k2)
    np.testing.assert_allclose(as_dense(found), expected, rtol=0, atol=1e-5)
    assert isinstance(found, csr_matrix)
    assert (found.shape, found.dtype) == ((number, number), np.float32)


@pytest.mark.parametrize(
    ('k1', 'k2', 'name'), [(30, 6, 'jaccard'), (20, 1, 'jaccard_k1_20_k2_1_first40')]
)
def test_recorded_distances(reference, k1, k2, name):
    data = reference('cluster')
    expected = data[name].numpy()
    found = as_dense(jaccard_distance(data['features'], k1, k2))
    np.testing.assert_allclose(found[: len(expected)], expected, rtol=0, atol=5e-6)


@pytest.mark.parametrize('max_distance', [0, 0.3, 0.6, 1])
def test_larger_distances_are_left_out(reference, max_distance):
    features = reference('cluster')['features']
    full = jaccard_distance(features)
    near = jaccard_distance(features, max_distance=max_distance)
    kept = full.data <= np.float32(max_distance)
    np.testing.assert_array_equal(near.data, full.data[kept])
    np.testing.assert_array_equal(near.indices, full.indices[kept])
    assert (near.diagonal() == 0).all()
    assert near.has_sorted_indices


def test_what_is_stored_grows_with_the_images():
    """A matrix of all pairs would take four times as much for twice as many images."""
    stored = [
        jaccard_distance(people(0, number, number // 15)[0] / 16, max_distance=0.6).nnz
        for number in (500, 1000, 2000)
    ]
    assert stored[2] < 3 * stored[1] < 9 * stored[0]
    assert stored[2] < 2000 * 40


def test_the_search_of_another_device_finds_the_same(reference, monkeypatch):
    features = reference('cluster')['features']
    expected = jaccard_distance(features)
    monkeypatch.setattr(neighbours, '_search_on_cpu', neighbours.search_on_device)
    found = jaccard_distance(features, device='cpu')
    np.testing.assert_allclose(as_dense(found), as_dense(expected), rtol=0, atol=1e-6)


@pytest.mark.parametrize('kind', ['float64', 'read-only', 'strided', 'tensor', 'learning'])
def test_arrays_and_tensors_are_taken(kind):
    features = people(0, 40, 5)[0] / 16
    expected = jaccard_distance(features)
    before = features.copy()
    if kind == 'float64':
        features = features.astype(np.float64)
    elif kind == 'read-only':
        features.flags.writeable = False
    elif kind == 'strided':
        features = np.asfortranarray(features)
    elif kind == 'tensor':
        features = torch.from_numpy(features)
    else:
        features = torch.from_numpy(features).requires_grad_()
    assert (jaccard_distance(features) != expected).nnz == 0
    np.testing.assert_array_equal(torch.as_tensor(features).detach(), before)


def test_progress_reaches_the_end(monkeypatch):
    monkeypatch.setattr(neighbours, 'BLOCK', 16)
    calls = []
    features = people(0, 40, 5)[0] / 16
    jaccard_distance(features, progress=lambda *call: calls.append(call))
    assert calls == [(done, 6) for done in range(1, 7)]


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        ({'k1': 0}, 'k1 is 0, expected at least 1'),
        ({'k2': -1}, 'k2 is -1, expected at least 1'),
        ({'max_distance': 1.5}, 'max_distance is 1.5, expected between 0 and 1'),
        ({'max_distance': float('nan')}, 'max_distance is nan'),
        ({'search': 'best'}, r"search is 'best', expected one of \('exact', 'faiss'\)"),
        ({'features': np.zeros(5)}, r'features has shape \(5,\), expected \(images, dimensions\)'),
        ({'features': np.zeros((0, 5))}, r'features has shape \(0, 5\)'),
        ({'features': np.float32([[0, 1], [np.nan, 0]])}, 'row 1 of features holds nan or inf'),
    ],
)
def test_bad_input_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        jaccard_distance(**{'features': np.eye(4, dtype=np.float32), **wrong})

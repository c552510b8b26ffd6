import numpy as np
import pytest
import torch
from literal_definitions import jaccard, literal_jaccard, people
from scipy.sparse import csr_matrix

from passreid.clustering import jaccard_distance
from passreid.clustering.jaccard import overlap_distances

# Images, people, spread of an image around its person (0: copies), k1, k2.
SHAPES = {
    'as published': (90, 8, 2, 30, 6),
    'copies': (90, 8, 0, 30, 6),
    'some copies': (90, 30, 1, 12, 6),
    'odd halves': (80, 10, 4, 7, 2),
    'no expansion': (90, 8, 3, 20, 1),
    'alone in the set': (20, 5, 1, 1, 1),
    'fewer images than k1': (12, 2, 2, 30, 6),
    'fewer images than k2': (4, 2, 2, 3, 9),
    'k2 above k1': (50, 6, 2, 4, 9),
    'one image': (1, 1, 0, 30, 6),
    'all alike': (40, 1, 0, 10, 4),
    'one person': (70, 1, 3, 20, 6),
}


def as_dense(distances, absent=1.0):
    dense = np.full(distances.shape, absent, np.float32)
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
    if max_distance == 0.3:
        max_distance = float(np.sort(full.data)[500])  # Exactly the limit stays.
    near = jaccard_distance(features, max_distance=max_distance)
    kept = full.data <= np.float32(max_distance)
    np.testing.assert_array_equal(near.data, full.data[kept])
    np.testing.assert_array_equal(near.indices, full.indices[kept])
    assert (near.diagonal() == 0).all()
    assert near.has_sorted_indices


@pytest.fixture
def num_threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize('threads', [1, 3])
@pytest.mark.parametrize(('number', 'share'), [(1, 1), (2, 0.5), (41, 0.03), (60, 0.2), (30, 1)])
def test_overlaps_of_any_rows(num_threads, threads, number, share):
    num_threads(threads)
    rng = np.random.default_rng(number)
    rows = rng.random((number, number)) * (rng.random((number, number)) < share)
    rows[:, 0] += rows.sum(1) == 0
    rows = (rows / rows.sum(1, keepdims=True)).astype(np.float32)
    near = overlap_distances(csr_matrix(rows))
    found = as_dense(near)
    np.testing.assert_allclose(found, jaccard(*2 * (rows.astype(float),)), rtol=0, atol=1e-6)
    assert (found == found.T).all()
    assert (found >= 0).all()
    # What is stored is what shares a column, and the diagonal.
    shares = (rows @ rows.T > 0) | np.eye(number, dtype=bool)
    assert (np.isnan(as_dense(near, np.nan)) == ~shares).all()


def test_equal_rows_are_stored_zeros_and_weights_that_vanish_do_no_harm():
    rows = csr_matrix((np.float32([1, 1, 0, 1]), [1, 1, 2, 2], [0, 1, 3, 4]), (3, 3))
    near = overlap_distances(rows, 0.5)
    assert near.indices.tolist() == [0, 1, 0, 1, 2]
    assert near.data.tolist() == [0] * 5


def test_what_is_stored_grows_with_the_images():
    """A matrix of all pairs would take four times as much for twice as many images."""
    stored = [
        jaccard_distance(people(0, number, number // 15)[0] / 16, max_distance=0.6).nnz
        for number in (500, 1000, 2000)
    ]
    assert stored[2] < 3 * stored[1] < 9 * stored[0]
    assert stored[2] < 2000 * 40


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        ({'k1': 0}, 'k1 is 0'),
        ({'k2': -1}, 'k2 is -1'),
        ({'max_distance': 1.5}, 'max_distance is 1.5'),
        ({'search': 'best'}, "search is 'best'"),
        ({'features': np.zeros((0, 5))}, r'features has shape \(0, 5\)'),
        ({'features': np.float32([[0, 1], [np.nan, 0]])}, 'row 1 of features'),
    ],
)
def test_bad_input_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        jaccard_distance(**{'features': np.eye(4, dtype=np.float32), **wrong})

import numpy as np
import pytest

from passreid.tracks.linking import average_features, cannot_link, link_tracks


def unit(features):
    return features / np.linalg.norm(features, axis=-1, keepdims=True)


def people(count=6, tracks=4, noise=0.15, seed=0):
    """Features of some people, and whom each shows."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(count), tracks)
    centers = unit(rng.standard_normal((count, 32)) + 3)
    return unit(centers[who] + noise * rng.standard_normal((len(who), 32)) / 6), who


def same(labels):
    return labels[:, None] == labels[None]


def test_average_leaves_out_others():
    rng = np.random.default_rng(0)
    person, other = unit(rng.standard_normal((2, 32)))
    features = unit(person + 0.02 * rng.standard_normal((9, 32)))
    features[4] = other
    mean = average_features(features, np.ones(9))
    expected = unit(np.delete(features, 4, 0).mean(0))
    np.testing.assert_allclose(mean, expected, atol=0.02)
    np.testing.assert_allclose(np.linalg.norm(mean), 1)
    weighted = average_features(features[:2], np.array([1.0, 0.0]))
    np.testing.assert_allclose(weighted, features[0])


def test_cannot_link():
    cameras = [0, 0, 0, 1]
    spans = np.array([[0, 10], [9, 20], [10, 15], [12, 20]], float)
    found = cannot_link(cameras, spans)
    pairs = np.argwhere(np.triu(found)).tolist()
    assert pairs == [[0, 1], [1, 2]] and (found == found.T).all()
    # From camera 0 to 1 nobody needs less than 3 seconds, back less than 1.
    found = cannot_link(cameras, spans, [[0, 3], [1, 0]])
    assert np.argwhere(np.triu(found)).tolist() == [[0, 1], [0, 3], [1, 2], [1, 3], [2, 3]]
    assert not cannot_link([0, 1], [[0, 10], [5, 15]], [[0, 0], [0, 0]]).any()


@pytest.mark.parametrize('scale, shift', [(1, 0), (0.01, 1)])
def test_people_are_found_without_a_threshold(scale, shift):
    features, who = people()
    features = unit(scale * features + shift)
    linked = link_tracks(features, np.zeros((24, 24), bool))
    np.testing.assert_array_equal(linked.people, who)
    np.testing.assert_array_equal(
        link_tracks(features, np.zeros((24, 24), bool), linked.threshold).people, who
    )


def test_pairs_that_cannot_be_are_never_joined():
    features, who = people(noise=1.0)
    rng = np.random.default_rng(1)
    impossible = np.triu(rng.random((24, 24)) < 0.2, 1)
    impossible |= impossible.T
    for threshold in (None, 0.9, 2.0):
        linked = link_tracks(features, impossible, threshold)
        joined = same(linked.people) & ~np.eye(24, dtype=bool)
        assert joined.any() and not (joined & impossible).any()


def test_numbers_are_in_the_order_of_tracks():
    features, who = people()
    order = np.random.default_rng(2).permutation(24)
    found = link_tracks(features[order], np.zeros((24, 24), bool)).people
    np.testing.assert_array_equal(same(found), same(who[order]))
    _, first = np.unique(found, return_index=True)
    assert (np.diff(first) > 0).all()


def test_one_track():
    assert link_tracks(np.ones((1, 4)), np.zeros((1, 1), bool)).people.tolist() == [0]

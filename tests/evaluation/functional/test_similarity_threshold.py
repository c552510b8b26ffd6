import numpy as np
import pytest

from passreid.evaluation.functional.similarity_threshold import similarity_curve

RATES = (0.0, 0.003, 0.01, 0.1, 0.5, 1.0)


@pytest.fixture
def people():
    """Features of 60 queries and 150 gallery images of 12 people under 3 cameras."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((12, 16))

    def draw(number):
        pids = rng.integers(0, 12, number)
        features = centres[pids] + rng.standard_normal((number, 16))
        # Of any length: similarity is the cosine.
        features *= rng.uniform(0.5, 2, (number, 1))
        return features.astype(np.float32), pids, rng.integers(0, 3, number)

    query, gallery = draw(60), draw(150)
    return [values for pair in zip(query, gallery, strict=True) for values in pair]


def literal_pairs(query, gallery, q_pids, g_pids, q_cams, g_cams):
    """Cosines of the pairs of one person, and of those of two people."""
    query, gallery = (
        f.astype(float) / np.linalg.norm(f.astype(float), axis=1, keepdims=True)
        for f in (query, gallery)
    )
    cosines, same = query @ gallery.T, q_pids[:, None] == g_pids
    counts = ~(same & (q_cams[:, None] == g_cams))
    return cosines[same & counts], cosines[~same]


@pytest.mark.parametrize('chunk_size', [None, 7])
def test_rates_are_those_of_the_threshold(people, chunk_size):
    matching, others = literal_pairs(*people)
    curve = similarity_curve(*people, chunk_size=chunk_size)
    assert (curve.matching.sum(), curve.others.sum()) == (len(matching), len(others))
    for rate in RATES:
        found = curve.threshold(rate)
        assert found.wanted == rate
        assert found.false_matches == (others >= found.similarity).sum()
        assert found.false_match_rate == (others >= found.similarity).mean() <= rate
        assert found.true_match_rate == pytest.approx((matching >= found.similarity).mean())


def test_lower_thresholds_accept_too_many(people):
    _, others = literal_pairs(*people)
    curve = similarity_curve(*people)
    for rate in RATES[:-1]:
        threshold = curve.threshold(rate).similarity
        lower = threshold - (1 - threshold) * 2**-12
        assert (others >= lower).mean() > rate


def test_wholly_apart():
    features = np.eye(4, dtype=np.float32)[[0, 0, 1, 1]]
    ids, here, there = np.array([0, 0, 1, 1]), np.zeros(4, int), np.ones(4, int)
    curve = similarity_curve(features, features, ids, ids, here, there)
    found = curve.threshold(0.0)
    assert (found.false_matches, found.true_match_rate) == (0, 1)
    assert 0 <= found.similarity < 1e-3
    assert not found.is_supported
    assert curve.threshold(1.0)[2:] == (8, 1, 1)


def test_image_itself_does_not_count():
    features = np.float32([[1, 0], [0, 1], [1, 1]])
    ids, unknown = np.array([0, 0, 1]), np.full(3, -1)
    curve = similarity_curve(
        features, features, ids, ids, unknown, unknown, same_image=np.arange(3)
    )
    assert (curve.matching.sum(), curve.others.sum()) == (2, 4)


def test_rule_of_30(people):
    curve = similarity_curve(*people)
    needed = 30 / curve.others.sum()
    assert curve.threshold(needed * 1.1).is_supported
    assert not curve.threshold(needed * 0.9).is_supported


def test_bad_input(people):
    with pytest.raises(ValueError, match=r'a false match rate is 1\.5'):
        similarity_curve(*people).threshold(1.5)
    features, ids = np.eye(2, dtype=np.float32), np.array([0, 1])
    cameras = np.zeros(2, int), np.ones(2, int)
    with pytest.raises(ValueError, match='no pairs of one person'):
        similarity_curve(features, features, ids, ids + 2, *cameras)
    with pytest.raises(ValueError, match='no pairs of two people'):
        similarity_curve(features, features, ids * 0, ids * 0, *cameras)

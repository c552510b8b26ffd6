import numpy as np
import pytest

from passreid.evaluation.functional import rank_features, similarity_curve

RATES = (0.0, 0.003, 0.01, 0.1, 0.5, 1.0)


@pytest.fixture
def people():
    """Features of 60 queries and 150 gallery images of 12 people under 3 cameras."""
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((12, 16))

    def draw(number):
        pids = rng.integers(0, 12, number)
        features = centers[pids] + rng.standard_normal((number, 16))
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
        # A lower threshold accepts too many.
        lower = found.similarity - (1 - found.similarity) * 2**-12
        assert rate == 1 or (others >= lower).mean() > rate


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


def literal_curve(distances, matching):
    """Shares of other and of matching pairs below each possible threshold."""
    thresholds = [*np.unique(distances), np.inf]
    for kind in (~matching, matching):
        of_kind = np.sort(distances[kind])
        yield np.searchsorted(of_kind, thresholds) / len(of_kind)


def test_true_positive_rates_are_those_of_sorted_distances():
    rng = np.random.default_rng(0)
    labels = [rng.integers(0, 5, 40), rng.integers(0, 5, 60), np.zeros(40, int), np.ones(60, int)]
    matching = labels[0][:, None] == labels[1]
    # Squares of whole numbers up to 64 never share a bin.
    places = [
        rng.integers(0, 24, (number, 1)) + 5 * labels[side][:, None]
        for side, number in ((0, 40), (1, 60))
    ]
    others, accepted = literal_curve((places[0] - places[1].T) ** 2, matching)
    # A hair above, so that dividing and multiplying cannot lose a pair.
    asked = [*RATES, *(others + 1e-9).clip(max=1)]
    rates = rank_features(*places, *labels, false_positive_rates=asked, chunk_size=13).tpr
    expected = [accepted[others <= rate].max() for rate in asked]
    np.testing.assert_allclose(rates, expected, atol=1e-12)
    assert 0 < rates[3] < rates[4] < 1


def test_pairs_that_are_removed_do_not_count():
    sides = [[0.0], [0.0]], [[0.0], [1.0], [2.0], [3.0]]
    labels = [1, 9], [1, 1, 2, 1], [0, 0], [0, 1, 1, 1]
    # Left of the first query: matches at 1 and 9, another at 4; of the second: 0, 1, 4, 9.
    assert rank_features(*sides, *labels, false_positive_rates=(0, 0.5)).tpr.tolist() == [0, 0.5]


def test_without_other_pairs_there_is_no_rate():
    result = rank_features([[0.0]], [[1.0]], [1], [1], [0], [1], false_positive_rates=(0.1,))
    assert np.isnan(result.tpr).all()
    assert rank_features([[0.0]], [[1.0]], [1], [1], [0], [1]).tpr.shape == (0,)

import numpy as np
import pytest
import torch

from passreid.evaluation.functional import rank_features
from passreid.evaluation.functional.labels import RankingLabels
from passreid.evaluation.functional.verification_curve import VerificationCurve

RATES = (0.0, 0.001, 0.01, 0.1, 0.5, 1.0)


def literal_curve(distances, matching):
    """Shares of other and of matching pairs below each possible threshold."""
    thresholds = [*np.unique(distances), np.inf]
    for kind in (~matching, matching):
        of_kind = np.sort(distances[kind])
        yield np.searchsorted(of_kind, thresholds) / len(of_kind)


@pytest.mark.parametrize('shift', [0.0, -1.5])
def test_equals_the_curve_of_sorted_distances(shift):
    rng = np.random.default_rng(0)
    labels = RankingLabels.check(
        rng.integers(0, 5, 40), rng.integers(0, 5, 60), np.zeros(40, int), np.ones(60, int)
    )
    matching = labels.query_pids[:, None] == labels.gallery_pids
    # Multiples of 1/128 up to 4 never share a bin.
    distances = np.floor((rng.random((40, 60)) * 2 + ~matching * 0.6) * 128) / 128 + shift
    curve = VerificationCurve()
    for rows in (slice(0, 13), slice(13, 40)):
        curve.add(torch.tensor(distances[rows], dtype=torch.float32), labels.rows(rows))
    others, accepted = literal_curve(distances, matching)
    # A hair above, so that dividing and multiplying cannot lose a pair.
    asked = [*RATES, *(others + 1e-9).clip(max=1)]
    expected = [accepted[others <= rate].max() for rate in asked]
    rates = curve.true_positive_rates(asked)
    np.testing.assert_allclose(rates, expected, atol=1e-12)
    assert 0 < rates[2] < rates[3] < 1


def test_bins_lose_little():
    rng = np.random.default_rng(1)
    labels = [rng.integers(0, 10, n) for n in (100, 400)]
    labels += [np.zeros(100, int), np.ones(400, int)]
    centres = rng.standard_normal((10, 8))
    query, gallery = (
        (centres[ids] + rng.standard_normal((len(ids), 8))).astype(np.float32) for ids in labels[:2]
    )
    distances = ((query[:, None].astype(float) - gallery[None]) ** 2).sum(-1)
    matching = labels[0][:, None] == labels[1]
    result = rank_features(query, gallery, *labels, false_positive_rates=RATES)
    others, accepted = literal_curve(distances, matching)
    difference = [accepted[others <= rate].max() for rate in RATES] - result.tpr
    assert (difference >= -2 / matching.sum()).all()
    assert (difference < 5 / matching.sum()).all()


def test_pairs_that_are_removed_do_not_count():
    result = rank_features(
        [[0.0], [0.0]],
        [[0.0], [1.0], [2.0], [3.0]],
        [1, 9],
        [1, 1, 2, 1],
        [0, 0],
        [0, 1, 1, 1],
        false_positive_rates=(0.0, 0.5),
    )
    # Left of the first query: matches at 1 and 9, another at 4; of the second: 0, 1, 4, 9.
    assert result.tpr.tolist() == [0, 0.5]


def test_without_other_pairs_there_is_no_rate():
    result = rank_features([[0.0]], [[1.0]], [1], [1], [0], [1], false_positive_rates=(0.1,))
    assert np.isnan(result.tpr).all()

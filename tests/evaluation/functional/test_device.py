"""What runs on a GPU gives what the compiled loops of the CPU give."""

import numpy as np
import pytest
import torch
from literal_definitions import random_people

from passreid.evaluation.functional.labels import RankingLabels
from passreid.evaluation.functional.scores import score_rows, score_rows_on_device


@pytest.mark.parametrize('seed', range(20))
@pytest.mark.parametrize('levels', [None, 5])
def test_removal_and_scores(seed, levels):
    distances, labels, same_image = random_people(seed, levels)
    labels = RankingLabels.check(*labels, same_image)
    ours, theirs = torch.tensor(distances).float(), torch.tensor(distances).float()
    labels.remove_(ours, 0)
    assert labels.remove_on_device_(theirs).all()
    assert torch.equal(ours, theirs)
    ours, theirs = score_rows(ours, labels), score_rows_on_device(ours, labels)
    for name, one, two in zip(ours._fields, ours, theirs, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-12, err_msg=name)
        assert one.dtype == two.dtype


@pytest.mark.parametrize('score', [score_rows, score_rows_on_device])
def test_zeros_of_either_sign_are_equal(score):
    labels = RankingLabels.check([1, 1], [2, 1], [0, 0], [1, 1])
    distances = torch.tensor([[0.0, -0.0], [-0.0, 0.0]])
    assert score(distances, labels).first_hit_rank.tolist() == [2, 2]


@pytest.mark.parametrize('value', [torch.nan, torch.inf])
def test_values_that_are_not_finite_are_found(value):
    labels = RankingLabels.check([1, 1, 1], [2, 1], [0, 0, 0], [1, 0])
    distances = torch.zeros(3, 2)
    distances[1, 1] = value
    assert labels.remove_on_device_(distances.clone()).tolist() == [True, False, True]
    with pytest.raises(ValueError, match='query 11 are'):
        labels.remove_(distances, 10)

"""What runs on a GPU gives what the compiled loops of the CPU give."""

import numpy as np
import pytest
import torch
from literal_definitions import random_people

from passreid.evaluation.functional.protocol import (
    RankingLabels,
    score_rows,
    score_rows_on_device,
)


@pytest.mark.parametrize('seed', range(20))
@pytest.mark.parametrize('levels', [None, 5])
def test_scores(seed, levels):
    distances, labels, same_image = random_people(seed, levels)
    labels = RankingLabels.check(*labels, same_image)
    distances = torch.tensor(distances).float()
    labels.remove_(distances, 0)
    ours, theirs = score_rows(distances, labels), score_rows_on_device(distances, labels)
    for name, one, two in zip(ours._fields, ours, theirs, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-12, err_msg=name)
        assert one.dtype == two.dtype


@pytest.mark.parametrize('score', [score_rows, score_rows_on_device])
def test_zeros_of_either_sign_are_equal(score):
    labels = RankingLabels.check([1, 1], [2, 1], [0, 0], [1, 1])
    distances = torch.tensor([[0.0, -0.0], [-0.0, 0.0]])
    assert score(distances, labels).first_hit_rank.tolist() == [2, 2]

import numpy as np
import pytest

from passreid.evaluation.functional import evaluate_rank


@pytest.fixture
def scores():
    return evaluate_rank([[0.2, 0.1]], [7], [7, 8], [0], [1, 1], max_rank=2)


def test_fields_by_name_and_by_place(scores):
    assert scores['mAP'] == scores.mAP == scores[0] == 0.5
    assert scores['cmc'] is scores.cmc
    mean_average_precision, cmc, *rest = scores
    assert mean_average_precision == 0.5
    np.testing.assert_array_equal(cmc, [0, 1])
    assert len(rest) == 2


@pytest.mark.parametrize('name', ['map', '_asdict', 'count'])
def test_other_names_are_unknown(scores, name):
    with pytest.raises(KeyError, match=name):
        scores[name]

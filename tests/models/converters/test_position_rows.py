import pytest
import torch

from passreid.models.converters.position_rows import split_positions


def table(rows):
    return {'pos_embed': torch.arange(rows, dtype=torch.float32).view(1, rows, 1)}


@pytest.mark.parametrize(
    ('rows', 'beside', 'in_front'),
    [
        (197, {}, 1),
        (196, {}, 0),
        (129, {}, 1),
        (128, {}, 0),
        (198, {'dist_token': torch.zeros(1, 1, 1)}, 2),
        (197, {'dist_token': torch.zeros(1, 1, 1)}, 1),
        (201, {'reg_token': torch.zeros(1, 4, 1)}, 5),
        (196, {'reg_token': torch.zeros(1, 4, 1)}, 0),
        (1370, {'register_tokens': torch.zeros(1, 4, 1)}, 1),
    ],
)
def test_rows_in_front_are_counted(rows, beside, in_front):
    weights = table(rows) | beside
    assert split_positions(weights) == (in_front == 0)
    assert weights['pos_embed'].flatten().tolist() == list(range(in_front, rows))
    assert weights['cls_position'].shape == (1, 1, 1) and not weights['cls_position'].any()


def test_a_known_grid_decides():
    """289 rows are 17 x 17, or [CLS] and 24 x 12."""
    for options, left in (({}, 288), ({'target': (17, 17)}, 289), ({'grid': (17, 17)}, 289)):
        weights = table(289)
        split_positions(weights, **options)
        assert weights['pos_embed'].shape[1] == left, options


def test_a_grid_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r'49 rows does not fit the grid \(16, 8\)'):
        split_positions(table(49), grid=(16, 8))


def test_strange_tables_keep_a_row_for_cls():
    """Neither 7 nor 6 rows are a grid that can be guessed."""
    weights = table(7)
    split_positions(weights)
    assert weights['pos_embed'].shape[1] == 6


def test_ours_stay():
    weights = table(5) | {'cls_position': torch.ones(1, 1, 1)}
    assert not split_positions(weights)
    assert weights['pos_embed'].shape[1] == 5
    assert not split_positions({})

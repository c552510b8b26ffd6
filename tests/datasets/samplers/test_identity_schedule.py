import numpy as np
import pytest

from passreid.datasets.samplers.identity_schedule import (
    count_batches,
    draw_published,
    schedule_groups,
)

GROUPS = {
    'equal': [3] * 12,
    'just enough ids': [5, 1, 2, 4],
    'one giant': [100, 1, 1, 1, 1, 1, 1, 1],
    'two giants': [40, 40, 3, 3, 2, 2, 2, 2, 1, 1, 1],
    'long tail': list(range(1, 30)),
    'random': np.random.default_rng(0).geometric(0.2, 50).tolist(),
}
cases = pytest.mark.parametrize(
    ('groups', 'ids_per_batch'),
    [pytest.param(np.array(g), p, id=f'{n}-{p}') for n, g in GROUPS.items() for p in (1, 2, 3, 4)],
)


def draw_greedily(groups, ids_per_batch):
    """Count batches, each of the ids with the most groups left: what no other way exceeds."""
    left, batches = np.sort(groups)[::-1], 0
    while left[ids_per_batch - 1]:
        left[:ids_per_batch] -= 1
        left = np.sort(left)[::-1]
        batches += 1
    return batches


@cases
def test_count_is_the_most_that_can_be_filled(groups, ids_per_batch):
    assert count_batches(groups, ids_per_batch) == draw_greedily(groups, ids_per_batch)


@cases
@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('draw', [schedule_groups, draw_published])
def test_schedule(groups, ids_per_batch, seed, draw):
    schedule = draw(groups, ids_per_batch, np.random.default_rng(seed))
    assert schedule.shape[1] == ids_per_batch
    most = count_batches(groups, ids_per_batch)
    assert len(schedule) == most if draw is schedule_groups else 0 < len(schedule) <= most
    # No group twice, no id twice in a batch.
    assert len(np.unique(schedule)) == schedule.size
    owners = np.repeat(np.arange(len(groups)), groups)[schedule]
    assert all(len(set(batch)) == ids_per_batch for batch in owners.tolist())
    # It ends when fewer than P ids have groups left.
    left = groups - np.bincount(owners.ravel(), minlength=len(groups))
    assert (left > 0).sum() < ids_per_batch
    assert left.min() >= 0


def test_the_only_group_of_an_id_is_kept_if_possible():
    groups = np.array([1] * 6 + [2] * 3)
    for seed in range(20):
        schedule = schedule_groups(groups, 4, np.random.default_rng(seed))
        assert schedule.shape == (3, 4)
    groups[-1] = 3
    for seed in range(20):
        used = schedule_groups(groups, 4, np.random.default_rng(seed)).ravel()
        assert set(range(6)) <= set(used.tolist())


def test_published_batches_draw_all_ids_alike_while_they_last():
    groups = np.array([10, 1, 1, 1, 1, 1, 1, 1])
    owners = np.repeat(np.arange(8), groups)
    epochs = [draw_published(groups, 2, np.random.default_rng(seed)) for seed in range(2000)]
    first = np.bincount(owners[np.stack([epoch[0] for epoch in epochs])].ravel(), minlength=8)
    np.testing.assert_allclose(first / 2000, 2 / 8, atol=0.04)
    # Seven other ids: 4 batches if the giant is in one only, 7 if it is in each of them.
    assert {len(epoch) for epoch in epochs} == {4, 5, 6, 7}
    assert count_batches(groups, 2) == 7


def test_every_pair_of_ids_meets_about_equally_often():
    met = np.zeros((12, 12))
    for seed in range(400):
        batches = schedule_groups(np.full(12, 3), 3, np.random.default_rng(seed)) // 3
        for batch in batches:
            met[np.ix_(batch, batch)] += 1
    pairs = met[np.triu_indices(12, 1)]
    # 400 schedules of 12 batches of 3 pairs, spread over 66 pairs; 15 about that is 1 sigma.
    assert pairs.mean() == 400 * 12 * 3 / 66
    assert np.abs(pairs / pairs.mean() - 1).max() < 0.3
    assert pairs.std() < 25


def test_place_in_the_epoch_does_not_depend_on_the_size():
    groups = np.array([1] * 40 + [10] * 8)
    places = [
        np.argwhere(schedule_groups(groups, 4, np.random.default_rng(seed)) < 40)[:, 0]
        for seed in range(100)
    ]
    # 30 batches: their middle is 14.5.
    assert abs(np.concatenate(places).mean() - 14.5) < 0.5

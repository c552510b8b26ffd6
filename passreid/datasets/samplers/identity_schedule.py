"""Which groups of images stand in which batch."""

import numpy as np


def count_batches(groups: np.ndarray, ids_per_batch: int) -> int:
    """Count the batches of different ids that groups of images can fill at most.

    After so many batches, fewer than ``ids_per_batch`` ids have a group left, however the
    batches are drawn.

    Args:
        groups (np.ndarray): Groups of each id, (N,) int.
        ids_per_batch (int): Ids of a batch, from 1.

    Returns:
        int: The largest B for which the sum of ``min(groups, B)`` is at least
        ``ids_per_batch`` x B.
    """
    low, high = 0, int(groups.sum()) // ids_per_batch
    while low < high:
        middle = (low + high + 1) // 2
        if np.minimum(groups, middle).sum() >= ids_per_batch * middle:
            low = middle
        else:
            high = middle - 1
    return low


def schedule_groups(
    groups: np.ndarray, ids_per_batch: int, generator: np.random.Generator
) -> np.ndarray:
    """Spread groups of images over as many batches as possible, at random.

    No id is twice in a batch. The ids, in random order, fill a table of ``ids_per_batch`` rows
    with their groups. A row has one entry for each batch, and its columns are assigned to the
    batches at random; only an id that continues in the next row restricts the choice there.

    Args:
        groups (np.ndarray): Groups of each id, (N,) int.
        ids_per_batch (int): Ids of a batch, from 1.
        generator (np.random.Generator): Source of randomness.

    Returns:
        np.ndarray: Numbers of groups, (B, ids_per_batch) int64, B as :func:`count_batches` says.
        Groups are numbered through, id by id.
    """
    num_batches = count_batches(groups, ids_per_batch)
    used = np.minimum(groups, num_batches)
    spare = int(used.sum()) - ids_per_batch * num_batches
    # Fewer than ids_per_batch: each from another id, and from none its only one if possible.
    used[np.argsort(generator.random(len(used)) + (used > 1))[len(used) - spare :]] -= 1
    ids = generator.permutation(len(used))
    owners = np.repeat(ids, used[ids])
    first = np.cumsum(used[ids]) - used[ids]
    numbers = np.arange(len(owners)) - np.repeat(first, used[ids])
    numbers += (np.cumsum(groups) - groups)[owners]
    schedule = np.empty((num_batches, ids_per_batch), np.int64)
    rows = owners.reshape(ids_per_batch, num_batches)
    batches = np.empty(0, np.int64)
    for row, own in enumerate(rows):
        banned = batches[rows[row - 1] == own[0]] if row else batches
        batches = _permute(num_batches, banned, int((own == own[0]).sum()), generator)
        schedule[batches, row] = numbers[row * num_batches : (row + 1) * num_batches]
    # Neighbours in the order of ids share a row: mixed, so that ranks do not share ids.
    return generator.permuted(schedule, axis=1)


def draw_published(
    groups: np.ndarray, ids_per_batch: int, generator: np.random.Generator
) -> np.ndarray:
    """Draw each batch at random from the ids that have groups left, until those are too few.

    Args:
        groups (np.ndarray): Groups of each id, (N,) int.
        ids_per_batch (int): Ids of a batch, from 1.
        generator (np.random.Generator): Source of randomness.

    Returns:
        np.ndarray: As of :func:`schedule_groups`; how many batches, chance decides.
    """
    following = np.cumsum(groups) - groups
    ends = following + groups
    schedule = []
    while len(ids := np.flatnonzero(following < ends)) >= ids_per_batch:
        chosen = generator.choice(ids, ids_per_batch, replace=False)
        schedule.append(following[chosen])
        following[chosen] += 1
    return np.array(schedule)


def _permute(
    size: int, banned: np.ndarray, num_head: int, generator: np.random.Generator
) -> np.ndarray:
    """Return a random permutation whose first ``num_head`` entries are not ``banned``."""
    order = generator.permutation(size)
    allowed = np.ones(size, bool)
    allowed[banned] = False
    head = order[allowed[order]][:num_head]
    in_head = np.zeros(size, bool)
    in_head[head] = True
    return np.concatenate([head, order[~in_head[order]]])

import math

import pytest
import torch

from passreid.engine import WarmupCosineLR


def run(rates, steps, **options):
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in rates]
    optimizer = torch.optim.SGD(
        [{'params': [p], 'lr': rate} for p, rate in zip(parameters, rates, strict=True)], lr=9.0
    )
    scheduler = WarmupCosineLR(optimizer, **options)
    rows = []
    for _ in range(steps):
        rows.append([group['lr'] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    return rows, scheduler


def test_ends_are_the_same_for_all_groups():
    rows, _ = run([1.0, 2.0], 9, T_max=8, warmup=2, start_factor=0.1, end_factor=0.01)
    assert rows[0] == pytest.approx([0.1, 0.1])
    assert rows[1] == pytest.approx([0.55, 1.05])
    share = (1 + math.cos(math.pi * 2 / 8)) / 2
    assert rows[2] == pytest.approx([0.01 + 0.99 * share, 0.01 + 1.99 * share])
    assert rows[8] == pytest.approx([0.01, 0.01])


def test_stays_at_the_end():
    rows, _ = run([1.0], 12, T_max=8)
    assert rows[9:] == [[pytest.approx(0.002)]] * 3


def test_resumes():
    rows, _ = run([1.0, 2.0], 8, T_max=8, warmup=2)
    _, first = run([1.0, 2.0], 5, T_max=8, warmup=2)
    _, second = run([1.0, 2.0], 0, T_max=8, warmup=2)
    second.load_state_dict(first.state_dict())
    second.optimizer.step()
    second.step()
    assert [group['lr'] for group in second.optimizer.param_groups] == pytest.approx(rows[6])


def test_warmup_must_fit():
    with pytest.raises(ValueError, match='between 0 and T_max=8, but is 9'):
        run([1.0], 0, T_max=8, warmup=9)

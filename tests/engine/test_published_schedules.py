"""Learning rate and weight decay of the published recipe, iteration by iteration."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from passreid.registry import PARAM_SCHEDULERS
from passreid.utils import register_all_modules

ROOT = Path(__file__).parents[2]
ITERATIONS_PER_EPOCH = 50


@pytest.fixture(scope='module')
def course():
    """Simulate 100 epochs of 50 iterations at a total batch of 1,024."""
    register_all_modules()
    cfg = Config.fromfile(ROOT / 'configs' / 'pass' / 'pass_vit-s16_lup.py')
    options = {key: cfg.optim_wrapper.optimizer[key] for key in ('lr', 'weight_decay')}
    options['lr'] *= 1024 / cfg.auto_scale_lr.base_batch_size
    decayed, other = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    optimizer = torch.optim.AdamW(
        [{'params': [decayed]}, {'params': [other], 'weight_decay': 0.0}], **options
    )
    schedulers = []
    for scheduler in cfg.param_scheduler:
        kind = PARAM_SCHEDULERS.get(scheduler.pop('type'))
        assert scheduler.pop('convert_to_iter_based')
        schedulers.append(
            kind.build_iter_from_epoch(
                optimizer=optimizer, epoch_length=ITERATIONS_PER_EPOCH, **scheduler
            )
        )
    rows = []
    for _ in range(cfg.train_cfg.max_epochs * ITERATIONS_PER_EPOCH):
        rows.append([group[key] for group in optimizer.param_groups for key in options])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return torch.tensor(rows, dtype=torch.float64).T


def test_learning_rate(course, reference):
    expected = reference('schedules')['pretrain/lr'].double()
    for found in (course[0], course[2]):
        torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-5)


def test_weight_decay(course, reference):
    expected = reference('schedules')['pretrain/wd'].double()
    torch.testing.assert_close(course[1], expected, atol=1e-8, rtol=1e-5)
    assert torch.equal(course[3], torch.zeros_like(course[3]))

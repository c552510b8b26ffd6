"""Learning rates and weight decays of the published recipes, step by step."""

import copy
import math
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper

from passreid.engine import WarmupCosineLR
from passreid.models.converters import from_pass_checkpoint
from passreid.registry import MODELS, PARAM_SCHEDULERS
from passreid.utils import register_all_modules

CONFIGS = Path(__file__).parents[2] / 'configs'


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
    return rows


def test_ends_are_the_same_for_all_groups():
    rows = run([1.0, 2.0], 12, T_max=8, warmup=2, start_factor=0.1, end_factor=0.01)
    assert rows[0] == pytest.approx([0.1, 0.1])
    assert rows[1] == pytest.approx([0.55, 1.05])
    share = (1 + math.cos(math.pi * 2 / 8)) / 2
    assert rows[2] == pytest.approx([0.01 + 0.99 * share, 0.01 + 1.99 * share])
    assert rows[8:] == [pytest.approx([0.01, 0.01])] * 4


def test_pre_training(reference):
    """100 epochs of 50 iterations at a total batch of 1,024."""
    register_all_modules()
    cfg = Config.fromfile(CONFIGS / 'pass' / 'pass_vit-s16_lup.py')
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
            kind.build_iter_from_epoch(optimizer=optimizer, epoch_length=50, **scheduler)
        )
    rows = []
    for _ in range(cfg.train_cfg.max_epochs * 50):
        rows.append([group[key] for group in optimizer.param_groups for key in options])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    rates, decays, other_rates, other_decays = torch.tensor(rows, dtype=torch.float64).T
    expected = reference('schedules')
    for found in (rates, other_rates):
        torch.testing.assert_close(found, expected['pretrain/lr'].double(), atol=1e-9, rtol=1e-5)
    torch.testing.assert_close(decays, expected['pretrain/wd'].double(), atol=1e-8, rtol=1e-5)
    assert not other_decays.any()


@pytest.fixture(scope='module')
def fine_tuning():
    """The Market-1501 config with its 751 ids, and its model."""
    register_all_modules()
    cfg = Config.fromfile(CONFIGS / 'supervised' / 'vit-s16_market1501-256x128.py')
    cfg.model.head.num_classes = 751
    # Without storage: nothing here depends on values.
    with torch.device('meta'):
        return cfg, MODELS.build(cfg.model)


@pytest.fixture
def wrapper(fine_tuning):
    cfg, model = fine_tuning
    # A copy: mmengine takes entries out.
    return build_optim_wrapper(model, copy.deepcopy(cfg.optim_wrapper))


def test_every_epoch_of_fine_tuning(fine_tuning, wrapper, reference):
    cfg, _ = fine_tuning
    (scheduler_cfg,) = cfg.param_scheduler
    scheduler = PARAM_SCHEDULERS.build(scheduler_cfg, default_args=dict(optimizer=wrapper))
    rows = []
    for _ in range(cfg.train_cfg.max_epochs):
        rows.append([group['lr'] for group in wrapper.optimizer.param_groups])
        wrapper.step()
        scheduler.step()
    weights, biases = torch.tensor(rows).T
    expected = reference('schedules')
    torch.testing.assert_close(weights, expected['sup/lr_used'], atol=1e-10, rtol=1e-6)
    torch.testing.assert_close(biases, expected['sup/lr_used_bias'], atol=1e-10, rtol=1e-6)


def test_every_parameter_of_fine_tuning(fine_tuning, wrapper, reference):
    cfg, model = fine_tuning
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    rate = cfg.optim_wrapper.optimizer.lr
    found = {
        names[id(parameter)]: torch.tensor([group['lr'] / rate, group['weight_decay']])
        for group in wrapper.optimizer.param_groups
        for parameter in group['params']
    }
    recorded = reference('schedules')
    columns = torch.stack([recorded['sup/group_lr_factor'], recorded['sup/group_weight_decay']], 1)
    by_name = dict(zip(recorded['sup/group_names'], columns, strict=True))
    expected = from_pass_checkpoint(by_name, kind='supervised')
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=0, rtol=1e-6, msg=name)
    frozen = {name for name, value in model.named_parameters() if not value.requires_grad}
    not_trained = dict.fromkeys(recorded['sup/not_trained'], torch.zeros(1))
    assert frozen == from_pass_checkpoint(not_trained, kind='supervised').keys()
    assert len(frozen) == 4

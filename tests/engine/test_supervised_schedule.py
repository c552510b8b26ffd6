"""Learning rate of the published fine-tuning recipe, epoch by epoch and parameter by parameter."""

import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper

from passreid.models.converters import from_pass_checkpoint
from passreid.registry import MODELS, PARAM_SCHEDULERS
from passreid.utils import register_all_modules

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def config():
    """Return the Market-1501 config with its 751 ids."""
    register_all_modules()
    cfg = Config.fromfile(ROOT / 'configs' / 'supervised' / 'vit-s16_market1501-256x128.py')
    cfg.model.head.num_classes = 751
    return cfg


@pytest.fixture(scope='module')
def model(config):
    # Without storage: nothing here depends on values.
    with torch.device('meta'):
        return MODELS.build(config.model)


@pytest.fixture
def wrapper(config, model):
    # A copy: mmengine takes entries out.
    return build_optim_wrapper(model, copy.deepcopy(config.optim_wrapper))


def test_every_epoch(config, wrapper, reference):
    (scheduler_cfg,) = config.param_scheduler
    scheduler = PARAM_SCHEDULERS.build(scheduler_cfg, default_args=dict(optimizer=wrapper))
    rows = []
    for _ in range(config.train_cfg.max_epochs):
        rows.append([group['lr'] for group in wrapper.optimizer.param_groups])
        wrapper.step()
        scheduler.step()
    weights, biases = torch.tensor(rows).T
    expected = reference('schedules')
    torch.testing.assert_close(weights, expected['sup/lr_used'], atol=1e-10, rtol=1e-6)
    torch.testing.assert_close(biases, expected['sup/lr_used_bias'], atol=1e-10, rtol=1e-6)


def test_every_parameter(config, model, wrapper, reference):
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    rate = config.optim_wrapper.optimizer.lr
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


def test_biases_of_the_necks_are_frozen(model, reference):
    recorded = dict.fromkeys(reference('schedules')['sup/not_trained'], torch.zeros(1))
    frozen = {name for name, value in model.named_parameters() if not value.requires_grad}
    assert frozen == from_pass_checkpoint(recorded, kind='supervised').keys()
    assert len(frozen) == 4

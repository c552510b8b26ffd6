"""Learning rate of the published fine-tuning recipe, epoch by epoch and parameter by parameter."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper

from passreid.registry import MODELS, PARAM_SCHEDULERS
from passreid.utils import register_all_modules

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def recipe():
    """Return the model of the Market-1501 config (751 ids) and its optimiser wrapper."""
    register_all_modules()
    cfg = Config.fromfile(ROOT / 'configs' / 'supervised' / 'vit-s16_market1501-256x128.py')
    cfg.model.head.num_classes = 751
    model = MODELS.build(cfg.model)
    return cfg, model, build_optim_wrapper(model, cfg.optim_wrapper)


def test_every_epoch(recipe, reference):
    cfg, model, wrapper = recipe
    (scheduler_cfg,) = cfg.param_scheduler
    scheduler = PARAM_SCHEDULERS.build(scheduler_cfg, default_args=dict(optimizer=wrapper))
    rows = []
    for _ in range(cfg.train_cfg.max_epochs):
        rows.append([group['lr'] for group in wrapper.param_groups])
        wrapper.step()
        scheduler.step()
    weights, biases = torch.tensor(rows).T
    expected = reference('schedules')
    torch.testing.assert_close(weights, expected['sup/lr_used'], atol=1e-10, rtol=1e-6)
    torch.testing.assert_close(biases, expected['sup/lr_used_bias'], atol=1e-10, rtol=1e-6)


def test_every_parameter(recipe, reference):
    _, model, wrapper = recipe
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = {
        names[id(parameter)]: (group['initial_lr'] / 4e-4, group['weight_decay'])
        for group in wrapper.param_groups
        for parameter in group['params']
    }
    expected = reference('schedules')
    assert len(found) == len(expected['sup/group_names']) - 1 - 2 * 1
    by_name = dict(
        zip(expected['sup/group_names'], expected['sup/group_lr_factor'].tolist(), strict=True)
    )
    print(sorted(by_name)[:4], len(by_name), len(found))

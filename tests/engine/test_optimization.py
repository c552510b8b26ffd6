"""Ways to clip, groups of parameters, and the rates and decays of the published recipes."""

import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper

from passreid.engine import AutoAmpOptimWrapper, GroupedOptimWrapperConstructor
from passreid.models.converters import from_pass_checkpoint
from passreid.registry import MODELS, PARAM_SCHEDULERS
from passreid.utils import register_all_modules

CONFIGS = Path(__file__).parents[2] / 'configs'


def wrapper_of(parameters, **kwargs):
    return AutoAmpOptimWrapper(torch.optim.SGD(parameters, lr=1.0), **kwargs)


def assert_same(parameters, expected):
    assert [id(p) for p in parameters] == [id(p) for p in expected]


@pytest.mark.parametrize(
    ('clip_grad', 'steps'),
    [
        # Gradients of 4 times 6 and -2: norms 12 and 4, largest 6 and 2, sums 24 and 8.
        (dict(type='per_parameter', max_norm=3.0), (1.5, -1.5)),
        (dict(max_norm=160**0.5 / 2), (3.0, -1.0)),
        (dict(type='norm', max_norm=3.0, norm_type=torch.inf), (3.0, -1.0)),
        (dict(type='value', clip_value=2.5), (2.5, -2.0)),
        (None, (6.0, -2.0)),
    ],
)
def test_ways_to_clip(clip_grad, steps):
    first, second, unused = (torch.nn.Parameter(torch.zeros(4)) for _ in range(3))
    wrapper = wrapper_of([first, second, unused], clip_grad=clip_grad)
    first.grad, second.grad = torch.full((4,), 6.0), torch.full((4,), -2.0)
    given = copy.copy(clip_grad)
    wrapper.step()
    assert clip_grad == given
    torch.testing.assert_close(first.data, torch.full((4,), -steps[0]))
    torch.testing.assert_close(second.data, torch.full((4,), -steps[1]))
    if clip_grad and clip_grad.get('type') == 'per_parameter':
        parameters, norms = wrapper.gradient_norms
        assert_same(parameters, [first, second])
        assert norms.tolist() == [12, 4]


def test_step_with_bad_gradients_does_nothing_on_a_cpu():
    good, bad = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    wrapper = wrapper_of([good, bad], clip_grad=dict(type='per_parameter', max_norm=3.0))
    wrapper.update_params(good.sum() + (bad * torch.inf).sum())
    assert torch.equal(good.data, torch.ones(2)) and torch.equal(bad.data, torch.ones(2))
    assert wrapper.gradient_norms[1].isfinite().tolist() == [True, False]


def test_skipped_parameters_are_left_alone_even_by_decay():
    frozen, free = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = torch.optim.AdamW([frozen, free], lr=0.1, weight_decay=0.5)
    wrapper = AutoAmpOptimWrapper(optimizer, clip_grad=dict(type='per_parameter', max_norm=3.0))
    wrapper.skip([frozen])
    wrapper.update_params((frozen.sum() + free.sum()) * 2)
    assert torch.equal(frozen.data, torch.ones(2))
    assert not torch.equal(free.data, torch.ones(2))
    assert frozen not in optimizer.state
    wrapper.skip([])
    wrapper.update_params((frozen.sum() + free.sum()) * 2)
    assert not torch.equal(frozen.data, torch.ones(2))


@pytest.mark.parametrize(
    ('amp', 'enabled'), [('float16', False), ('bfloat16', True), (None, False)]
)
def test_types_on_a_cpu(log, amp, enabled):
    wrapper = wrapper_of([torch.nn.Parameter(torch.zeros(1))], amp=amp)
    assert ('needs a GPU' in log()) == (amp == 'float16')
    with wrapper.optim_context(torch.nn.Identity()):
        assert torch.is_autocast_enabled('cpu') == enabled
        assert not enabled or torch.get_autocast_dtype('cpu') == torch.bfloat16
    assert not torch.is_autocast_enabled('cpu')


def test_unknown_type():
    with pytest.raises(ValueError, match='float8'):
        wrapper_of([torch.nn.Parameter(torch.zeros(1))], amp='float8')


def groups_of(model, **paramwise_cfg):
    register_all_modules()
    optimizer = dict(type='AdamW', lr=0.1, weight_decay=0.04)
    wrapper = dict(type='AutoAmpOptimWrapper', optimizer=optimizer)
    return GroupedOptimWrapperConstructor(wrapper, paramwise_cfg)(model).optimizer.param_groups


class Shared(torch.nn.Module):
    """Two layers with one weight, and each its bias."""

    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)
        self.second.weight = self.first.weight


@pytest.mark.parametrize('bypass', [True, False])
def test_shared_parameter_enters_once(bypass):
    """With the options of the module that comes first, where they differ."""
    model = Shared()
    (group,) = groups_of(model, bypass_duplicate=bypass, norm_decay_mult=0.0)
    assert_same(group['params'], [model.first.weight, model.first.bias, model.second.bias])
    if bypass:
        options = dict(bias_lr_mult=3.0, custom_keys={'second.weight': dict(lr_mult=2.0)})
        first, second = groups_of(Shared(), bypass_duplicate=True, **options)
        assert [first['lr'], len(first['params']), len(second['params'])] == [0.1, 1, 2]


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

"""Runs in 16 bits and of the smallest batches; losses, figures, clusters of extreme features."""

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmpretrain.structures import DataSample
from tiny_runs import halve, quick_start, train
from toy_models import people

from passreid.clustering import cluster_pseudo_labels, jaccard_distance
from passreid.evaluation import ReIDMetric
from passreid.models import ReIDHead

TASKS = ['pre-training', 'fine-tuning', 'USL']


@pytest.fixture(scope='module', autouse=True)
def quick():
    with quick_start():
        yield


@pytest.fixture
def config(tiny_run):
    """Make the config of a run of one epoch without validation."""

    def make(task, **changes):
        changes['train_cfg__max_epochs'] = 1
        if task != 'pre-training':
            changes |= dict.fromkeys(('val_cfg', 'val_dataloader', 'val_evaluator'))
        cfg = tiny_run(task, **changes).cfg
        # Published rates begin at 0, with which no weight moves.
        cfg.param_scheduler = []
        return cfg

    return make


class SeenSteps(Hook):
    """Remember the loss of each iteration, and whether the weights moved in it.

    Args:
        overflow (int): The iteration in which gradients leave the range of float16.
    """

    priority = 'LOWEST'

    def __init__(self, overflow=-1):
        self.overflow, self.losses, self.moved = overflow, [], []

    def before_train_iter(self, runner, *args, **kwargs):
        if self.overflow >= 0:
            scaler = runner.optim_wrapper.loss_scaler
            # There is no scale to set before the first use. Of so narrow a network even a small
            # one would overflow at first.
            scaler.scale(torch.ones(()))
            scaler.update(2.0**40 if runner.iter == self.overflow else 1.0)
        self.before = [value.clone() for value in runner.model.parameters()]

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses.append(outputs['loss'].item())
        pairs = zip(self.before, runner.model.parameters(), strict=True)
        self.moved.append(any(not torch.equal(*pair) for pair in pairs if pair[1].requires_grad))


def check(cfg, **options):
    """Train; all losses and all that is kept must be finite, and the latter float32."""
    hook = SeenSteps(**options)
    model = train(cfg, hook).model
    assert np.isfinite(hook.losses).all()
    for name, value in model.state_dict().items():
        assert value.dtype in (torch.float32, torch.int64) and value.isfinite().all(), name
    return hook


@pytest.mark.parametrize(
    ('task', 'dtype'), [*((task, 'float16') for task in TASKS), ('pre-training', 'bfloat16')]
)
def test_16_bits_begin_as_32(config, task, dtype):
    whole, half = check(config(task)), check(halve(config(task), dtype))
    # Rounding through two layers, and scores divided by a temperature of 0.04.
    rounding = torch.finfo(getattr(torch, dtype)).eps / 2
    assert half.losses[0] == pytest.approx(whole.losses[0], rel=rounding * 32**0.5)


@pytest.mark.parametrize('task', TASKS)
def test_an_overflow_costs_one_step(config, task):
    hook = check(halve(config(task), 'float16'), overflow=1)
    assert hook.moved == [number != 1 for number in range(len(hook.moved))]


@pytest.mark.parametrize(('task', 'size'), [('pre-training', 1), ('fine-tuning', 2), ('USL', 2)])
def test_smallest_batches(config, task, size):
    check(config(task, train_dataloader__batch_size=size))


@pytest.mark.parametrize('factor', [0, 1e-8, 1e6, 1e15])
@pytest.mark.parametrize(
    'options',
    [{}, dict(metric='cosine'), dict(rerank=dict(k1=3, k2=2)), dict(query_expansion=dict(k=2))],
    ids=str,
)
def test_figures_do_not_depend_on_the_length_of_features(options, factor):
    figures = []
    for scale in (1.0, factor):
        metric = ReIDMetric(topk=(1, 5), **options)
        samples = people()
        metric.process(None, [one | dict(feature=scale * one['feature']) for one in samples])
        figures.append(metric.evaluate(len(samples)))
    assert all(0 <= value <= 100 for value in figures[1].values())
    assert factor == 0 or figures[1] == pytest.approx(figures[0], abs=1e-4)


@pytest.mark.parametrize('factor', [0, 1e-20, 1e15])
def test_clusters_of_extreme_features(factor):
    features = np.random.default_rng(0).normal(size=(40, 8)) * factor
    distances = jaccard_distance(features.astype(np.float32), k1=6, k2=2)
    assert distances.data.min() >= 0 and distances.data.max() <= 1
    assert cluster_pseudo_labels(features.astype(np.float32), k1=6, k2=2).shape == (40,)


@pytest.mark.parametrize('kind', ['zeros', 'equal', 'huge'])
@pytest.mark.parametrize('loss', ['CrossEntropyLoss', 'CircleLoss', 'ArcFaceLoss', 'CosFaceLoss'])
def test_losses_of_extreme_tokens(loss, kind):
    torch.manual_seed(0)
    tokens = {
        'zeros': torch.zeros(4, 4, 16),
        'equal': torch.randn(1, 4, 16).expand(4, -1, -1),
        'huge': 1e10 * torch.randn(4, 4, 16),
    }[kind].clone()
    head = ReIDHead(16, num_classes=3, id_loss=dict(type=loss))
    losses = head.loss(
        (tokens.requires_grad_(),), [DataSample().set_gt_label(n) for n in (0, 0, 1, 1)]
    )
    (losses['loss_id'] + losses['loss_triplet']).backward()
    assert all(value.isfinite() for value in losses.values())
    assert tokens.grad.isfinite().all()

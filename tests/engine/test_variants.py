"""One epoch of each variant of the recipe."""

from math import isfinite
from pathlib import Path

import pytest
import torch
from tiny_runs import pass_config, write_crops

from passreid.apis import build_runner

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def crops(tmp_path_factory):
    return write_crops(tmp_path_factory.mktemp('data') / 'crops', count=8)


@pytest.fixture
def train(crops, tmp_path):
    def run(**changes):
        views = changes.pop('views', {})
        cfg = pass_config(ROOT, crops, tmp_path / 'run', train_cfg__max_epochs=1, **changes)
        cfg.train_dataloader.dataset.pipeline[1].update(views)
        runner = build_runner(cfg)
        runner.train()
        scalars = runner.message_hub.log_scalars
        return runner.model, {name: history.current() for name, history in scalars.items()}

    return run


def test_ics_stem(train):
    model, figures = train(model__backbone__stem='ics')
    assert isfinite(figures['train/loss'])
    student, teacher = (
        network.patch_embed.stem[1].batch_norm
        for network in (model.backbone, model.teacher['backbone'])
    )
    # The teacher's statistics are its own: it saw the global views, once a step.
    assert student.num_batches_tracked == 4 and teacher.num_batches_tracked == 2
    assert not torch.equal(student.running_mean, teacher.running_mean)


def test_without_parts(train):
    _, figures = train(model__backbone__num_parts=0, views=dict(num_parts=0, num_local_whole=4))
    assert isfinite(figures['train/loss'])
    assert 'train/loss_part' not in figures


def test_two_parts(train):
    _, figures = train(model__backbone__num_parts=2, views=dict(num_parts=2, local_per_part=2))
    assert isfinite(figures['train/loss'])


@pytest.mark.parametrize(
    'changes', [dict(model__backbone__with_cp=True), dict(optim_wrapper__optimizer__fused=False)]
)
def test_switches_that_change_no_result(train, tmp_path, crops, changes):
    weights = train(**changes)[0].state_dict()
    cfg = pass_config(ROOT, crops, tmp_path / 'plain', train_cfg__max_epochs=1)
    runner = build_runner(cfg)
    runner.train()
    for name, value in runner.model.state_dict().items():
        if not name.endswith('qkv.bias'):
            torch.testing.assert_close(weights[name], value, atol=2e-5, rtol=0, msg=name)


def test_bfloat16_is_close_to_float32(train, tmp_path, crops):
    figures = train(optim_wrapper__amp='bfloat16')[1]
    cfg = pass_config(ROOT, crops, tmp_path / 'plain', train_cfg__max_epochs=1)
    runner = build_runner(cfg)
    runner.train()
    plain = runner.message_hub.log_scalars['train/loss'].current()
    assert figures['train/loss'] == pytest.approx(plain, rel=0.02)

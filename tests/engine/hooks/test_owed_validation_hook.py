import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from tiny_runs import KilledError, quick_start

from passreid.apis import build_runner
from passreid.registry import METRICS


@pytest.fixture(scope='module', autouse=True)
def quick():
    with quick_start():
        yield


@METRICS.register_module()
class MeanOutput(BaseMetric):
    """A figure of its own for each state of the model."""

    def process(self, data_batch, data_samples):
        self.results += [float(output.abs().sum()) for output in data_samples]

    def compute_metrics(self, results):
        return {'acc': sum(results)}


class SeenFigures(Hook):
    """Remember the figure of each validated epoch, or be killed in that of one."""

    priority = 'VERY_HIGH'

    def __init__(self, killed_in=None):
        self.killed_in, self.figures = killed_in, []

    def after_val_epoch(self, runner, metrics=None):
        if runner.epoch == self.killed_in:
            raise KilledError
        self.figures.append((runner.epoch, metrics['acc']))


def run(toy_config, folder, killed_in=None, val_interval=1):
    cfg = toy_config(
        train_cfg={'type': 'ResumableEpochLoop', 'max_epochs': 4, 'val_interval': val_interval},
        val_cfg={},
        val_evaluator={'type': 'MeanOutput'},
        resume='auto',
    )
    cfg['work_dir'] = str(folder)
    cfg['train_dataloader']['sampler'] = {'type': 'ResumableSampler'}
    cfg['val_dataloader'] = cfg['train_dataloader'] | {
        'sampler': {'type': 'DefaultSampler', 'shuffle': False}
    }
    cfg['default_hooks']['checkpoint'] = {
        'type': 'CheckpointHook',
        'interval': 1,
        'save_best': 'acc',
        'rule': 'greater',
    }
    runner, seen = build_runner(cfg), SeenFigures(killed_in)
    runner.register_hook(seen)
    if killed_in is None:
        runner.train()
    else:
        with pytest.raises(KilledError):
            runner.train()
    return seen.figures, runner


@pytest.mark.parametrize('epoch', [2, 4])
def test_validation_that_was_cut_off_is_made_up_for(toy_config, tmp_path, epoch):
    whole, runner = run(toy_config, tmp_path / 'whole')
    assert [number for number, _ in whole] == [1, 2, 3, 4]
    before, _ = run(toy_config, tmp_path / 'killed', killed_in=epoch)
    after, resumed = run(toy_config, tmp_path / 'killed')
    assert before + after == whole
    for name, value in runner.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value)
    names = [
        sorted(path.name for path in (tmp_path / name).glob('*.pth'))
        for name in ('whole', 'killed')
    ]
    assert names[0] == names[1]


def test_epoch_without_validation_gets_none(toy_config, tmp_path):
    whole, _ = run(toy_config, tmp_path / 'whole', val_interval=3)
    assert [number for number, _ in whole] == [3, 4]
    run(toy_config, tmp_path / 'killed', killed_in=3, val_interval=3)
    after, _ = run(toy_config, tmp_path / 'killed', val_interval=3)
    assert after == whole


def test_finished_run_may_be_validated_once_more_and_that_is_all(toy_config, tmp_path):
    whole, _ = run(toy_config, tmp_path)
    again, _ = run(toy_config, tmp_path)
    assert again in ([], whole[-1:])

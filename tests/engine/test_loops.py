import pytest
from mmengine.evaluator import BaseMetric

from passreid.apis import build_runner
from passreid.registry import METRICS


def test_sampler_that_cannot_start_within_an_epoch(toy_config, tmp_path):
    """That images are neither missed nor seen twice is in ``test_runs.py``."""
    cfg = toy_config(train_cfg={'type': 'ResumableEpochLoop', 'max_epochs': 2})
    cfg['train_dataloader']['sampler'] = {'type': 'ResumableSampler'}
    cfg['default_hooks']['checkpoint'] |= {'by_epoch': False, 'max_keep_ckpts': -1}
    build_runner(cfg).train()
    cfg |= {'resume': True, 'load_from': str(tmp_path / 'run' / 'iter_2.pth')}
    cfg['train_dataloader']['sampler'] = {'type': 'DefaultSampler', 'shuffle': True}
    with pytest.raises(TypeError, match='ResumableSampler'):
        build_runner(cfg).train()


@METRICS.register_module()
class CountMetric(BaseMetric):
    """Count the samples of a test set."""

    default_prefix = 'count'

    def process(self, data_batch, data_samples):
        self.results += [1] * len(data_batch['inputs'])

    def compute_metrics(self, results):
        return {'samples': len(results)}


def loader(length):
    return {
        'dataset': {'type': 'ToyDataset', 'length': length},
        'sampler': {'type': 'DefaultSampler', 'shuffle': False},
        'collate_fn': {'type': 'default_collate'},
        'batch_size': 4,
    }


def run_tests(toy_config, loaders, names, evaluator):
    test_cfg = {'type': 'MultiTestLoop', 'names': names}
    return build_runner(
        toy_config(test_dataloader=loaders, test_evaluator=evaluator, test_cfg=test_cfg)
    ).test()


def test_each_set_is_tested(toy_config):
    evaluators = [{'type': 'CountMetric', 'prefix': 'a'}, {'type': 'CountMetric'}]
    for evaluator, first in ((evaluators[1], 'count'), (evaluators, 'a')):
        found = run_tests(toy_config, [loader(8), loader(4)], ['x', 'y'], evaluator)
        assert found == {f'x/{first}/samples': 8, 'y/count/samples': 4}


@pytest.mark.parametrize(
    ('loaders', 'names', 'message'),
    [
        ([loader(8), loader(4)], ['a', 'a'], 'names'),
        (loader(4), ['a'], 'test_dataloader'),
    ],
)
def test_each_set_needs_a_name(toy_config, loaders, names, message):
    with pytest.raises(ValueError, match=message):
        run_tests(toy_config, loaders, names, {'type': 'CountMetric'})

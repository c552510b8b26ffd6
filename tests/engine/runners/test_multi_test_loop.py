import pytest
from mmengine.evaluator import BaseMetric

from passreid.apis import build_runner
from passreid.registry import METRICS


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


def build(toy_config, lengths, names, evaluator):
    return build_runner(
        toy_config(
            test_dataloader=[loader(length) for length in lengths],
            test_evaluator=evaluator,
            test_cfg={'type': 'MultiTestLoop', 'names': names},
        )
    )


def test_each_set_is_tested(toy_config):
    runner = build(toy_config, [8, 12], ['small', 'large'], {'type': 'CountMetric'})
    assert runner.test() == {'small/count/samples': 8, 'large/count/samples': 12}


def test_sets_may_have_evaluators_of_their_own(toy_config):
    evaluators = [{'type': 'CountMetric', 'prefix': 'a'}, {'type': 'CountMetric'}]
    runner = build(toy_config, [8, 4], ['x', 'y'], evaluators)
    assert runner.test() == {'x/a/samples': 8, 'y/count/samples': 4}


@pytest.mark.parametrize('names', [['a'], ['a', 'a'], ['a', 'b', 'c']])
def test_each_set_needs_a_name(toy_config, names):
    runner = build(toy_config, [8, 4], names, {'type': 'CountMetric'})
    with pytest.raises(ValueError, match='2 data loaders, 2 evaluators and the names'):
        runner.test()


def test_one_loader_is_not_a_list(toy_config):
    runner = build_runner(
        toy_config(
            test_dataloader=loader(4),
            test_evaluator={'type': 'CountMetric'},
            test_cfg={'type': 'MultiTestLoop', 'names': ['a']},
        )
    )
    with pytest.raises(ValueError, match='needs a list of data loaders'):
        runner.test()

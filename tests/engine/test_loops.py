import pytest
from mmengine.evaluator import BaseMetric
from tiny_runs import SeenImages, pass_config, quick_start, train, write_crops

from passreid.apis import build_runner
from passreid.registry import METRICS
from passreid.utils import config_path

ROOT = config_path().parent


@pytest.fixture(scope='module', autouse=True)
def quick():
    with quick_start():
        yield


@pytest.fixture(scope='module')
def crops(tmp_path_factory):
    return write_crops(tmp_path_factory.mktemp('data') / 'crops')


def config(crops, folder, **changes):
    checkpoint = dict(by_epoch=False, interval=1, max_keep_ckpts=-1)
    changes |= {f'default_hooks__checkpoint__{name}': value for name, value in checkpoint.items()}
    return pass_config(ROOT, crops, folder, **changes)


@pytest.fixture(scope='module')
def whole(crops, tmp_path_factory):
    """An uninterrupted run of 2 epochs of 4 iterations."""
    folder, seen = tmp_path_factory.mktemp('whole'), SeenImages()
    train(config(crops, folder), seen)
    return seen.batches, folder


def test_each_epoch_sees_every_image_in_another_order(whole):
    first, second = (sum(whole[0][start : start + 4], []) for start in (0, 4))
    assert sorted(first) == sorted(second) == [f'{index:04d}.jpg' for index in range(16)]
    assert first != second


def test_sampler_that_cannot_start_inside_an_epoch(crops, whole, tmp_path):
    options = dict(resume=True, load_from=str(whole[1] / 'iter_2.pth'))
    with pytest.raises(TypeError, match='ResumableSampler'):
        train(config(crops, tmp_path, train_dataloader__sampler__type='DefaultSampler', **options))


def test_epochs_of_another_length_are_refused(crops, whole, tmp_path):
    """After an epoch too: images would be left out, and schedules go by iterations."""
    options = dict(resume=True, load_from=str(whole[1] / 'iter_4.pth'))
    with pytest.raises(ValueError, match=r'iterations an epoch.*batch_size.*: 4 .*, 2 '):
        train(config(crops, tmp_path, train_dataloader__batch_size=8, **options))


def test_more_epochs_than_planned_are_none_of_another_length(crops, whole, tmp_path):
    options = dict(resume=True, load_from=str(whole[1] / 'iter_8.pth'))
    assert train(config(crops, tmp_path, train_cfg__max_epochs=3, **options)).iter == 12


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


@pytest.mark.parametrize(
    ('evaluators', 'expected'),
    [
        ({'type': 'CountMetric'}, {'x/count/samples': 8, 'y/count/samples': 4}),
        (
            [{'type': 'CountMetric', 'prefix': 'a'}, {'type': 'CountMetric'}],
            {'x/a/samples': 8, 'y/count/samples': 4},
        ),
    ],
)
def test_each_set_is_tested(toy_config, evaluators, expected):
    assert run_tests(toy_config, [loader(8), loader(4)], ['x', 'y'], evaluators) == expected


@pytest.mark.parametrize(
    ('loaders', 'names', 'message'),
    [
        ([loader(8), loader(4)], ['a'], 'names'),
        ([loader(8), loader(4)], ['a', 'a'], 'names'),
        (loader(4), ['a'], 'test_dataloader'),
    ],
)
def test_each_set_needs_a_name(toy_config, loaders, names, message):
    with pytest.raises(ValueError, match=message):
        run_tests(toy_config, loaders, names, {'type': 'CountMetric'})

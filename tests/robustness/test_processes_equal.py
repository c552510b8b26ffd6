"""One, two and four processes with the same images in a step end with the same numbers.

Batch normalisation takes its running statistics, the supervised loss is that of the classifier, and
nothing is drawn at random by a process: what is left to differ is the order of sums.
"""

import shutil
from pathlib import Path

import pytest
import torch
from elastic_jobs import run_job
from process_runs import read_outcome, run_all
from tiny_runs import (
    cluster_config,
    other_than_key_biases,
    pass_config,
    reid_config,
    without_randomness,
    write_crops,
    write_people,
)

from passreid.apis import prepare_test

ROOT = Path(__file__).parents[2]
NUMBERS = (1, 2, 4)
PLAIN = dict(model__backbone__drop_path_rate=0.0, model__data_preprocessor__erasing=None)


def pass_variants(crops, folder, number):
    """Eight crops in two steps of four an epoch; two processes also in two halves of a step."""

    def config(name, **changes):
        changes |= dict(train_dataloader__sampler__shuffle=False)
        return without_randomness(pass_config(ROOT, crops, folder / name, **changes))

    found = {'pass': config(f'pass_{number}', train_dataloader__batch_size=4 // number)}
    if number == 2:
        found['pass_accumulated'] = config(
            'pass_accumulated',
            train_dataloader__batch_size=1,
            optim_wrapper__accumulative_counts=2,
        )
    return found


def reid_variant(people, folder, number):
    """16 images of 8 people a step."""
    return reid_config(
        ROOT,
        people,
        folder / f'reid_{number}',
        train_dataloader__batch_size=16 // number,
        model__head__metric_loss=None,
        **PLAIN,
    )


def cluster_variant(people, folder, number, use_hard):
    """4 clusters x 4 images a step, of 31 images, which the processes cannot share evenly."""
    return cluster_config(
        ROOT,
        people,
        folder / f'cluster_{use_hard}_{number}',
        train_dataloader__dataset__indices=31,
        train_dataloader__batch_size=16 // number,
        train_dataloader__sampler__images_per_id=4,
        model__memory__use_hard=use_hard,
        **PLAIN,
    )


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('equal')


@pytest.fixture(scope='module')
def outcomes(folder):
    """What each number of processes ended with, by task."""
    crops, people = write_crops(folder / 'crops', count=8), write_people(folder / 'people')
    found = {}
    for number in NUMBERS:
        configs = pass_variants(crops, folder, number)
        configs['reid'] = reid_variant(people, folder, number)
        configs['cluster'] = cluster_variant(people, folder, number, True)
        configs['cluster_all'] = cluster_variant(people, folder, number, False)
        for name, cfg in configs.items():
            cfg.dump(folder / f'{name}_by_{number}.py')
        names = [f'{name}_by_{number}' for name in configs]
        launcher = 'none' if number == 1 else 'pytorch'
        job = run_job(run_all, folder, names, launcher, True, number=number)
        assert not job.report, job.report + job.output
        for name in configs:
            found[name, number] = read_outcome(folder, f'{name}_by_{number}', number)
    return found


def assert_weights(found, whole, tolerance):
    assert found.keys() == whole.keys()
    for name, value in whole.items():
        torch.testing.assert_close(
            other_than_key_biases(name, found[name]),
            other_than_key_biases(name, value),
            atol=tolerance,
            rtol=0,
            msg=lambda text, name=name: f'{name}: {text}',
        )


def joint(processes):
    """The images of each step, those of the first process first."""
    steps = zip(*(one['batches'] for one in processes), strict=True)
    return [sum(batches, []) for batches in steps]


@pytest.mark.parametrize(('name', 'number'), [('pass', 2), ('pass', 4), ('pass_accumulated', 2)])
def test_pre_training(outcomes, tried, name, number):
    (whole,) = outcomes['pass', 1]
    for process in outcomes[name, number]:
        assert_weights(process['weights'], whole['weights'], 2e-5)
    what = f'pre-training in {number} processes' + ', accumulating' * name.endswith('accumulated')
    tried('processes', what, 'weights, teacher and centres of one process')


@pytest.mark.parametrize('number', [2, 4])
def test_supervised(outcomes, tried, number):
    (whole,) = outcomes['reid', 1]
    processes = outcomes['reid', number]
    assert joint(processes) == whole['batches']
    for process in processes:
        assert_weights(process['weights'], whole['weights'], 1e-6)
        assert process['figures'] == whole['figures'] != {}
    tried('processes', f'fine-tuning in {number} processes', 'images, weights and mAP of one')


@pytest.mark.parametrize('name', ['cluster', 'cluster_all'])
@pytest.mark.parametrize('number', [2, 4])
def test_unlabelled(outcomes, tried, name, number):
    (whole,) = outcomes[name, 1]
    processes = outcomes[name, number]
    assert joint(processes) == whole['batches']
    for process in processes:
        assert_weights(process['weights'], whole['weights'], 1e-5)
        # Not those of one: untrained features are so near each other that rounding swaps ranks.
        assert process['figures'] == processes[0]['figures'] != {}
        for moment in ('starts', 'ends'):
            for own, other in zip(process[moment], whole[moment], strict=True):
                assert torch.equal(own['labels'], other['labels'])
        assert len(process['memory']) == 9
        for own, other in zip(process['memory'], whole['memory'], strict=True):
            torch.testing.assert_close(own, other, atol=1e-5, rtol=0)
    tried('processes', f'USL in {number} processes', 'labels, memory of each step, weights of one')


@pytest.mark.parametrize('name', ['pass', 'reid', 'cluster', 'cluster_all'])
def test_processes_hold_the_same_weights(outcomes, name):
    for number in (2, 4):
        first, *others = outcomes[name, number]
        for other in others:
            assert_weights(other['weights'], first['weights'], 0)
            for own, its in zip(first['memory'], other['memory'], strict=True):
                assert torch.equal(own, its)


@pytest.fixture(scope='module')
def tests_of_checkpoint(folder, outcomes):
    """Test sets of 25 and 3 images, dealt out evenly (with repetitions) and as they are."""
    names = {}
    for number in NUMBERS:
        names[number] = []
        for count in (25, 3):
            for round_up in (True, False):
                cfg = reid_variant(few_people(folder, count), folder, number)
                prepare_test(cfg, str(folder / 'reid_1' / 'epoch_2.pth'))
                cfg.test_dataloader.update(batch_size=2)
                cfg.test_dataloader.sampler.update(round_up=round_up)
                name = f'test_{count}_{round_up}'
                cfg.dump(folder / f'{name}_by_{number}.py')
                names[number].append(f'{name}_by_{number}')
        launcher = 'none' if number == 1 else 'pytorch'
        job = run_job(run_all, folder, names[number], launcher, number=number)
        assert not job.report, job.report + job.output

    def figures(count, round_up, number):
        found = read_outcome(folder, f'test_{count}_{round_up}_by_{number}', number)
        return [process['figures'] for process in found]

    return figures


def few_people(folder, count):
    """Return a folder of people that holds so many images to test on, a query among them."""
    root = folder / f'people_{count}'
    if not root.exists():
        shutil.copytree(folder / 'people', root)
        queries, gallery = (
            sorted((root / name).glob('*.jpg')) for name in ('query', 'bounding_box_test')
        )
        # All of the 25 images, or the first query and gallery images from its person on.
        for path in [] if count == 25 else queries[1:] + gallery[:1] + gallery[count:]:
            path.unlink()
    return root


@pytest.mark.parametrize('number', [2, 4])
@pytest.mark.parametrize('round_up', [True, False])
@pytest.mark.parametrize('count', [25, 3])
def test_evaluation(tests_of_checkpoint, tried, count, round_up, number):
    """Also where processes have different numbers of batches, or no image at all."""
    (whole,) = tests_of_checkpoint(count, round_up, 1)
    assert tests_of_checkpoint(count, round_up, number) == [whole] * number
    assert len(whole) == 6
    tried('processes', f'test of {count} images in {number} processes', 'figures of one')

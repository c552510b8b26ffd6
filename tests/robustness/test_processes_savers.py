"""What saves memory, gradient accumulation and recomputed activations, changes no number."""

from pathlib import Path

import pytest
import torch
from elastic_jobs import run_job
from process_runs import read_outcome, run_all
from tiny_runs import cluster_config, pass_config, reid_config, write_crops, write_people

ROOT = Path(__file__).parents[2]
# Recomputed with the statistics of batch normalisation in the stem, and with dropped paths.
STEM = dict(model__backbone__stem='ics')
WAYS = {
    'plain': {},
    'layers': dict(model__backbone__with_cp=True),
    'backbone': dict(activation_checkpointing=['backbone']),
}
BFLOAT = dict(optim_wrapper__amp='bfloat16')


def configs(task, folder):
    """Configs of a task by way; by itself with as many images in a process as with another."""
    crops, people = folder / 'crops', folder / 'people'
    for way, changes in WAYS.items():
        name = f'{task}-{way}'
        if task == 'pre-training':
            options = dict(train_dataloader__batch_size=2, train_cfg__max_epochs=1)
            yield name, pass_config(ROOT, crops, folder / name, **options, **STEM, **changes)
            half = f'{name}-bfloat16'
            yield half, pass_config(ROOT, crops, folder / half, **options, **BFLOAT, **changes)
        elif task == 'fine-tuning':
            yield name, reid_config(ROOT, people, folder / name, **STEM, **changes)
        else:
            changes = dict(train_cfg__max_epochs=1) | STEM | changes
            yield name, cluster_config(ROOT, people, folder / name, **changes)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('savers')
    write_crops(root / 'crops')
    write_people(root / 'people')
    return root


def run(folder, configs, number, fixed_norms=False):
    for name, cfg in configs.items():
        cfg.dump(folder / f'{name}.py')
    launcher = 'none' if number == 1 else 'pytorch'
    job = run_job(run_all, folder, list(configs), launcher, fixed_norms, number=number)
    assert not job.report, job.report + job.output
    assert 'requires_grad' not in job.output
    return {name: read_outcome(folder, name, number) for name in configs}


def weights_of(processes):
    return [process['weights'] for process in processes]


@pytest.mark.parametrize('number', [1, 2])
@pytest.mark.parametrize('task', ['pre-training', 'fine-tuning', 'USL'])
def test_recomputed_activations(folder, full, tried, task, number):
    if number == 1 and not full:
        pytest.skip('with --full; two processes show the same')
    found = run(folder, dict(configs(task, folder)), number)
    for name, processes in found.items():
        plain = weights_of(found[f'{task}-plain{"-bfloat16" * ("bfloat16" in name)}'])
        for own, expected in zip(weights_of(processes), plain, strict=True):
            assert own.keys() == expected.keys()
            for key, value in expected.items():
                assert torch.equal(own[key], value), f'{name}: {key}'
        if 'plain' not in name:
            what = f'{task}: activations recomputed, {number} process(es)'
            tried('processes', what, 'weights and statistics equal')


def test_accumulation_of_fine_tuning(folder, tried):
    """Of the same images in the same order; by itself, a batch of identities is another draw."""

    def config(name, batch_size, **changes):
        return reid_config(
            ROOT,
            folder / 'people',
            folder / name,
            train_dataloader__batch_size=batch_size,
            train_dataloader__sampler=dict(
                _delete_=True, type='ResumableSampler', shuffle=False, round_up=True
            ),
            model__head__metric_loss=None,
            model__backbone__drop_path_rate=0.0,
            model__data_preprocessor__erasing=None,
            auto_scale_lr=None,
            **changes,
        )

    pairs = {
        'whole': config('whole', 16),
        'halves': config('halves', 8, optim_wrapper__accumulative_counts=2),
    }
    found = run(folder, pairs, 1, fixed_norms=True)
    (whole,), (halves,) = found['whole'], found['halves']
    joint = [one + other for one, other in zip(*[iter(halves['batches'])] * 2, strict=True)]
    assert joint == whole['batches']
    for name, value in whole['weights'].items():
        torch.testing.assert_close(halves['weights'][name], value, atol=1e-6, rtol=0, msg=name)
    tried('processes', 'fine-tuning: two accumulated batches', 'weights of one batch')

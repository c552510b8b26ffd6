"""Two processes that are killed within an epoch go on as if they had not been."""

from pathlib import Path

import pytest
import torch
from dying_processes import run_and_die
from elastic_jobs import run_job
from process_runs import read_outcome, run_all
from tiny_runs import cluster_config, pass_config, reid_config, write_crops, write_people

ROOT = Path(__file__).parents[2]
# Epochs of four steps; the second one is left after its second.
EVERY_THREE = dict(
    train_cfg__max_epochs=3,
    default_hooks__checkpoint__by_epoch=False,
    default_hooks__checkpoint__interval=3,
    default_hooks__checkpoint__max_keep_ckpts=-1,
)


def config(task, folder, work_dir, **changes):
    """With batch statistics, dropped paths and, without labels, hardest images: as published."""
    changes |= EVERY_THREE
    if task == 'pre-training':
        changes['train_dataloader__batch_size'] = 2
        # Batch normalisation in the stem, of the student and of the teacher.
        changes.update(model__backbone__stem='ics', model__neck__with_bn=True)
        return pass_config(ROOT, folder / 'crops', work_dir, **changes)
    if task == 'fine-tuning':
        changes['train_dataloader__batch_size'] = 4
        return reid_config(ROOT, folder / 'people', work_dir, **changes)
    changes['train_dataloader__sampler__iterations'] = 4
    return cluster_config(ROOT, folder / 'people', work_dir, **changes)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('resumed')
    write_crops(root / 'crops')
    write_people(root / 'people')
    return root


@pytest.mark.parametrize('task', ['pre-training', 'fine-tuning', 'USL'])
def test_resumed_within_an_epoch(folder, tried, task):
    config(task, folder, folder / task / 'whole').dump(folder / f'{task}-whole.py')
    job = run_job(run_all, folder, [f'{task}-whole'])
    assert not job.report, job.report + job.output

    cfg = config(task, folder, folder / task / 'killed')
    cfg.dump(folder / f'{task}-killed.py')
    job = run_job(run_and_die, folder, f'{task}-killed.py', 'hook', 'kill', 1, 8)
    assert 'SIGKILL' in job.root_cause
    checkpoint = folder / task / 'killed' / 'iter_6.pth'
    assert not (folder / task / 'killed' / 'iter_9.pth').exists()
    # What the processes differ in is there to be lost.
    content = torch.load(checkpoint, weights_only=True)
    assert any(name.endswith('running_mean') for name in content['process_buffers'])

    cfg.update(resume=True, load_from=str(checkpoint))
    cfg.dump(folder / f'{task}-resumed.py')
    job = run_job(run_all, folder, [f'{task}-resumed'])
    assert not job.report, job.report + job.output
    whole, resumed = (read_outcome(folder, f'{task}-{name}', 2) for name in ('whole', 'resumed'))
    for own, expected in zip(resumed, whole, strict=True):
        assert own['weights'].keys() == expected['weights'].keys()
        for name, value in expected['weights'].items():
            assert torch.equal(own['weights'][name], value), name
        if task != 'pre-training':
            assert own['batches'] == expected['batches'][6:]
    tried('processes', f'{task}: killed within an epoch', 'resumed, weights equal')

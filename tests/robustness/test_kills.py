"""Runs that are killed, or whose disk is full: resumed they end as if nothing had been."""

import random
import signal

import pytest

WORKERS = dict(train_dataloader__num_workers=2, train_dataloader__persistent_workers=True)
KILLS = {
    'checkpoint half written': ('pre-training', dict(before='torch.save', number=2)),
    'checkpoint without its name': ('pre-training', dict(before='os.replace', suffix='iter_6.pth')),
    'oldest checkpoint not removed': ('pre-training', dict(before='os.unlink', suffix='.pth')),
    'last_checkpoint not changed': (
        'fine-tuning',
        dict(before='os.replace', suffix='last_checkpoint', number=2),
    ),
    'clustering': ('USL', dict(before='sklearn.cluster.DBSCAN.fit', number=3)),
    'workers': ('pre-training', dict(before='iteration', number=5)),
}
# By name the task, which file is the first that cannot be saved, and the last good checkpoint.
FULL_DISKS = {
    'checkpoint': ('pre-training', 2, 'iter_4.pth', 'iter_2.pth'),
    'best': ('fine-tuning', 3, 'best_reid_mAP_iter_4.pth', 'iter_4.pth'),
    'teacher': ('pre-training', 5, 'teacher_backbone.pth', 'iter_8.pth'),
}


@pytest.mark.parametrize('place', KILLS)
def test_killed_at_a_place(saving_run, whole_run, place):
    task, interruption = KILLS[place]
    run = saving_run(task, **(WORKERS if place == 'workers' else {}))
    assert run.go(dict(way='kill', **interruption)).status == -signal.SIGKILL
    assert len([name for name in run.checkpoints() if name.startswith('iter')]) <= 3
    assert run.go().status == 0
    run.assert_ends_as(whole_run(task))


@pytest.mark.parametrize('task', ['fine-tuning', 'USL'])
def test_killed_at_random_moments(saving_run, whole_run, task):
    run, generator = saving_run(task), random.Random(1)
    moments = [generator.uniform(0, 0.5) for _ in range(2)]
    killed = [run.go(dict(way='kill', before='seconds', number=n)).status for n in moments]
    assert killed[0] == -signal.SIGKILL
    assert run.go().status == 0
    run.assert_ends_as(whole_run(task))


@pytest.mark.parametrize('case', FULL_DISKS)
def test_full_disk(saving_run, whole_run, case):
    """A clear error, and all that was saved before."""
    task, number, name, last = FULL_DISKS[case]
    run = saving_run(task)
    ended = run.go(dict(way='full disk', before='torch.save', number=number))
    assert ended.status == 1
    assert str(run.work_dir / name) in ended.output and 'No space left' in ended.output
    assert last in run.checkpoints() and name not in run.checkpoints()
    assert (run.work_dir / 'last_checkpoint').read_text() == str(run.work_dir / last)
    assert run.go().status == 0
    run.assert_ends_as(whole_run(task))

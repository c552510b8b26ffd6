"""A disk or quota that is full while a run saves: a clear error, and all that was saved before."""

import pytest

FULL = dict(way='full disk', before='torch.save')
# By name the task, the file that cannot be saved, what happens, and the last good checkpoint.
CASES = {
    'disk': ('pre-training', 'iter_4.pth', [FULL | dict(number=2)], 'iter_2.pth'),
    'quota': (
        'pre-training',
        'iter_4.pth',
        [dict(way='quota', before='iteration', number=3)],
        'iter_2.pth',
    ),
    'best': ('fine-tuning', 'best_reid_mAP_iter_4.pth', [FULL | dict(number=3)], 'iter_4.pth'),
    'teacher': ('pre-training', 'teacher_backbone.pth', [FULL | dict(number=5)], 'iter_8.pth'),
    'SIGTERM': (
        'pre-training',
        'preempted.pth',
        [dict(way='terminate', before='iteration', number=3), FULL | dict(number=2)],
        'iter_2.pth',
    ),
}


def settings(task):
    changes = dict(
        train_cfg__max_epochs=2,
        default_hooks__checkpoint__by_epoch=False,
        default_hooks__checkpoint__interval=2,
        default_hooks__checkpoint__max_keep_ckpts=1,
    )
    if task == 'fine-tuning':
        changes |= dict(train_cfg__val_interval=1, default_hooks__checkpoint__save_best='reid/mAP')
    return changes


@pytest.mark.parametrize('case', CASES)
def test_full_disk(tiny_run, whole_run, case):
    task, name, interruptions, last = CASES[case]
    run = tiny_run(task, **settings(task))
    ended = run.go(*interruptions)
    assert ended.status == 1
    reason = 'File too large' if case == 'quota' else 'No space left on device'
    assert f'{run.work_dir / name} could not be saved: {reason}' in ended.output
    assert last in run.checkpoints() and name not in run.checkpoints()
    assert (run.work_dir / 'last_checkpoint').read_text() == str(run.work_dir / last)
    assert run.go().status == 0
    run.assert_ends_as(whole_run(task, **settings(task)))

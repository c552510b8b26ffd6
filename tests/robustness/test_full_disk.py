"""A disk that is full while a run saves: a clear error, and all that was saved before."""

import pytest

# By name the task, which file is the first that cannot be saved, and the last good checkpoint.
CASES = {
    'checkpoint': ('pre-training', 2, 'iter_4.pth', 'iter_2.pth'),
    'best': ('fine-tuning', 3, 'best_reid_mAP_iter_4.pth', 'iter_4.pth'),
    'teacher': ('pre-training', 5, 'teacher_backbone.pth', 'iter_8.pth'),
}


@pytest.mark.parametrize('case', CASES)
def test_full_disk(saving_run, whole_run, case):
    task, number, name, last = CASES[case]
    run = saving_run(task)
    ended = run.go(dict(way='full disk', before='torch.save', number=number))
    assert ended.status == 1
    assert str(run.work_dir / name) in ended.output and 'No space left' in ended.output
    assert last in run.checkpoints() and name not in run.checkpoints()
    assert (run.work_dir / 'last_checkpoint').read_text() == str(run.work_dir / last)
    assert run.go().status == 0
    run.assert_ends_as(whole_run(task))

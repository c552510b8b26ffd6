from mmengine.logging import MMLogger

from passreid.evaluation.metrics import progress_log


def test_a_line_each_interval(monkeypatch):
    clock, lines = [0.0], []
    monkeypatch.setattr(progress_log.time, 'monotonic', lambda: clock[0])
    monkeypatch.setattr(MMLogger.get_current_instance(), 'info', lines.append)
    progress = progress_log.ProgressLog('ranking', interval=10)
    for done in range(1, 9):
        clock[0] += 5
        progress(done, 8)
    # The end is not announced: the figures follow.
    assert lines == [
        'ranking: 2 of 8, about 30 s left',
        'ranking: 4 of 8, about 20 s left',
        'ranking: 6 of 8, about 10 s left',
    ]

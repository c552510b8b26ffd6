import logging
from types import SimpleNamespace

import pytest

from passreid.engine import ResumeNoticeHook


@pytest.mark.parametrize(
    ('iteration', 'planned', 'schedulers', 'warned'),
    [
        (10, 20, ['schedule'], True),
        (10, 40, ['schedule'], True),
        (10, 30, ['schedule'], False),
        (0, 20, ['schedule'], False),
        (10, None, ['schedule'], False),
        (10, 20, None, False),
    ],
)
def test_warns_of_another_length_on_resume_only(caplog, iteration, planned, schedulers, warned):
    runner = SimpleNamespace(
        iter=iteration,
        max_iters=30,
        param_schedulers=schedulers,
        message_hub=SimpleNamespace(runtime_info={'max_iters': planned}),
        logger=logging.getLogger('notice'),
    )
    ResumeNoticeHook().before_train(runner)
    assert bool(caplog.records) is warned

import logging
import warnings

import pytest

from passreid.utils.quiet import KnownNoiseFilter, silence_known_warnings


def _record(text):
    return logging.LogRecord('mmengine', logging.WARNING, '', 0, text, None, None)


@pytest.mark.parametrize(
    ('text', 'kept'),
    [
        ('"FileClient" will be deprecated in future. Please use io functions', False),
        ('"HardDiskBackend" is the alias of "LocalBackend" and the former', False),
        ('head.neck.norms.0.bias is skipped since its requires_grad=False', False),
        ('"FileClient" failed', True),
        ('the loss is not finite', True),
    ],
)
def test_only_known_records_are_dropped(text, kept):
    assert KnownNoiseFilter().filter(_record(text)) is kept


def test_only_known_warnings_are_ignored():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        silence_known_warnings()
        warnings.warn('`torch.cuda.amp.GradScaler(args...)` is deprecated.', FutureWarning, 2)
        warnings.warn('`torch.cuda.amp.autocast(args...)` is deprecated.', FutureWarning, 2)
    assert [str(warning.message)[:30] for warning in caught] == ['`torch.cuda.amp.autocast(args.']

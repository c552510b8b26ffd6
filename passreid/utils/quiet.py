"""Filters for the warnings that a healthy run would print for no fault of its user."""

import logging
import warnings

# Raised by mmengine and torch about each other; each is matched by its own words.
_WARNINGS = (
    # mmengine's AmpOptimWrapper still names torch's scaler by its old path.
    (r'`torch\.cuda\.amp\.GradScaler\(args\.\.\.\)` is deprecated', FutureWarning),
)

# mmengine logs these about calls it makes itself.
_LOG_MESSAGES = (
    '"FileClient" will be deprecated in future',
    '"HardDiskBackend" is the alias of "LocalBackend"',
    # One line a parameter; the groups that result are logged instead.
    'paramwise_options -- ',
)
# Of parameters that are frozen on purpose, such as the biases of BN-necks.
_LOG_ENDINGS = ('is skipped since its requires_grad=False',)


def silence_known_warnings() -> None:
    """Ignore the listed warnings of torch, and nothing else."""
    for message, category in _WARNINGS:
        warnings.filterwarnings('ignore', message=message, category=category)


class KnownNoiseFilter(logging.Filter):
    """Drop the log records by which mmengine warns about its own calls."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is worth a reader's time."""
        message = str(record.msg)
        return not (message.startswith(_LOG_MESSAGES) or message.endswith(_LOG_ENDINGS))

"""What is shown to users, and what is not."""

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mmengine.logging import MMLogger

# mmengine warns of calls that it makes itself, and of parameters that are frozen on purpose.
_NOISE = re.compile(
    '"FileClient" will be deprecated|"HardDiskBackend" is the|paramwise_options|'
    '.*is skipped since its requires_grad=False$'
)


@contextmanager
def log_level(level: int) -> Iterator[None]:
    """Log nothing below a level inside the block."""
    logger = MMLogger.get_current_instance()
    before = logger.level
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)


def is_worth_reading(record: logging.LogRecord) -> bool:
    """Return False for what mmengine logs about itself; a filter for :mod:`logging`."""
    return not _NOISE.match(str(record.msg))


def printable(text: str) -> str:
    """Escape what acts on a terminal or breaks a line of a log, such as in the name of a file."""
    if text.isprintable():
        return text
    return ''.join(c if c.isprintable() else c.encode('unicode_escape').decode() for c in text)


def name_some(names: Sequence[str], most: int = 5) -> str:
    """Name the first of what may be many, printable: 'a, b and 3 others'."""
    more = len(names) - most
    return ', '.join(map(printable, names[:most])) + (f' and {more} others' if more > 0 else '')

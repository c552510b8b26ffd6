"""What is shown to users, and what is not."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mmengine.logging import MMLogger

_shown: set[tuple[str, str]] = set()
# mmengine warns of calls that it makes itself, and logs each parameter and those that are frozen
# on purpose.
_NOISE_STARTS = ('"FileClient" will be deprecated', '"HardDiskBackend" is the', 'paramwise_options')
_NOISE_ENDS = 'is skipped since its requires_grad=False'


def log_once(level: int, text: str) -> None:
    """Log a message unless the current logger, another for each run, has shown it before.

    Args:
        level (int): Level of :mod:`logging`. What the logger would not show now is not counted.
        text (str): The message.
    """
    logger = MMLogger.get_current_instance()
    key = (logger.instance_name, text)
    if key not in _shown and logger.isEnabledFor(level):
        _shown.add(key)
        logger.log(level, text)


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
    message = str(record.msg)
    return not (message.startswith(_NOISE_STARTS) or message.endswith(_NOISE_ENDS))


def printable(text: str) -> str:
    r"""Return a text in which nothing acts on a terminal or breaks a line of a log.

    Control characters, direction marks and bytes that are no UTF-8 become escapes.

    Args:
        text (str): Such as the name of a file.

    Examples:
        >>> printable('Zürich 1.jpg'), printable('a\x1b[2J\n.jpg')
        ('Zürich 1.jpg', 'a\\x1b[2J\\n.jpg')
    """
    if text.isprintable():
        return text
    return ''.join(c if c.isprintable() else c.encode('unicode_escape').decode() for c in text)


def name_some(names: Sequence[str], most: int = 5) -> str:
    """Name the first of what may be many, printable: 'a, b and 3 others'."""
    more = len(names) - most
    return ', '.join(map(printable, names[:most])) + (f' and {more} others' if more > 0 else '')

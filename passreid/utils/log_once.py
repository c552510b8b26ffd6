"""Messages that a run shows once, however often a data set is built."""

from mmengine.logging import MMLogger

_shown: set[tuple[str, str]] = set()


def log_once(level: int, text: str) -> None:
    """Log a message unless the current logger has shown it before.

    Args:
        level (int): Level of :mod:`logging`. What the logger would not show now is not counted.
        text (str): The message.
    """
    logger = MMLogger.get_current_instance()
    key = (current_logger(), text)
    if key not in _shown and logger.isEnabledFor(level):
        _shown.add(key)
        logger.log(level, text)


def is_shown(level: int) -> bool:
    """Whether the current logger would show a message now.

    Args:
        level (int): Level of :mod:`logging`.
    """
    return MMLogger.get_current_instance().isEnabledFor(level)


def current_logger() -> str:
    """Name of the logger that messages go to now, another for each run."""
    return MMLogger.get_current_instance().instance_name

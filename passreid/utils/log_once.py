"""Messages that a run shows once, however often a data set is built."""

from mmengine.logging import MMLogger

_shown: set[tuple[str, str]] = set()


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

"""Signs of life from long work."""

import time

from mmengine.logging import MMLogger


class ProgressLog:
    """Log how far work is, now and then; work that ends before the first time is not mentioned.

    Args:
        what (str): What is done, such as 'ranking'.
        interval (float): Seconds between two lines. Defaults to 20.
    """

    def __init__(self, what: str, interval: float = 20.0) -> None:
        self.what = what
        self.interval = interval
        self._start = self._last = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Log when it is time to."""
        now = time.monotonic()
        if now - self._last < self.interval or not 0 < done < total:
            return
        self._last = now
        left = (now - self._start) * (total - done) / done
        MMLogger.get_current_instance().info(
            f'{self.what}: {done} of {total}, about {left:.0f} s left'
        )

"""Images that cannot be read: the errors, and the count that stops a training."""

import logging

import torch
from mmengine.dist import get_rank
from mmengine.logging import print_log
from torch.utils.data import get_worker_info

from passreid.utils.printable import printable

_MAX_WORKERS = 256


class BadImageError(Exception):
    """An image that cannot be read.

    Args:
        path (str): The file, or the key in an LMDB.
        reason (str): What is wrong with it. Defaults to ''.
    """

    def __init__(self, path: str, reason: str = '') -> None:
        name = printable(path)
        super().__init__(f'bad image {name}: {printable(reason)}' if reason else name)
        self.path = path
        self.reason = reason


class TooManyBadImagesError(RuntimeError):
    """More images are bad than the data set tolerates."""


class BadImageCounter:
    """Count, name and limit the bad images of a data set, over all workers of this process."""

    def __init__(self, num_samples: int, max_share: float = 0.01, grace: int = 1000) -> None:
        if not 0 <= max_share <= 1:
            raise ValueError(f'max_bad_share must lie between 0 and 1, but is {max_share}')
        self.num_samples = num_samples
        self.max_share = max_share
        self.grace = grace
        # Images loaded or found bad, and bad ones; row 0 of the main process, then the workers'.
        self._counts = torch.zeros(1 + _MAX_WORKERS, 2, dtype=torch.int64).share_memory_()
        self._is_bad = torch.zeros(num_samples, dtype=torch.bool).share_memory_()

    def totals(self) -> list[int]:
        """Return how many images were loaded or found bad, and how many of them were bad."""
        return self._counts.sum(0).tolist()

    def indices(self) -> list[int]:
        """Return the samples found bad so far, ascending."""
        return self._is_bad.nonzero().flatten().tolist()

    def count_seen(self, column: int = 0) -> None:
        """Count an image that is about to be loaded."""
        worker = get_worker_info()
        self._counts.numpy()[worker.id % _MAX_WORKERS + 1 if worker else 0, column] += 1

    def count_bad(self, idx: int, error: BadImageError) -> None:
        """Count a bad image, log it the first time and raise an error when there are too many."""
        self.count_seen(column=1)
        if not self._is_bad[idx]:
            self._is_bad[idx] = True
            # mmengine shows nothing below an error on the other ranks.
            level = logging.WARNING if get_rank() == 0 else logging.ERROR
            print_log(f'{error}; another sample takes its place', 'current', level)
        seen, bad = self.totals()
        if seen >= min(self.grace, self.num_samples) and bad > self.max_share * seen:
            raise TooManyBadImagesError(
                f'{bad} of the {seen} images loaded so far are bad, which is more than '
                f'max_bad_share={self.max_share} allows; the last one: {error}. The log names '
                'all of them: repair or remove the files, or raise max_bad_share'
            )

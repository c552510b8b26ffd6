"""Images that cannot be read: the error, and the count that stops a training."""

import logging

import torch
from mmengine.dist import get_rank
from mmengine.logging import print_log

from passreid.utils.printable import printable

from .worker_row import WORKER_ROWS, worker_row


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
    """Count, log by name and limit the bad images of a data set.

    The counts live in shared memory, so they are the totals over all data loader workers of
    this process, started by fork or spawn, persistent or not. Each worker has a row of its own
    to count in, so none is lost; only two loaders that read the data set at once, or more than
    256 workers, may lose some.

    Args:
        num_samples (int): Length of the data set.
        max_share (float): Share of bad images among those loaded above which training stops,
            from 0 to 1. Defaults to 0.01.
        grace (int): The share is not judged before this many images were loaded, or all of a
            smaller data set. Defaults to 1000.
    """

    def __init__(self, num_samples: int, max_share: float = 0.01, grace: int = 1000) -> None:
        if not 0 <= max_share <= 1:
            raise ValueError(f'max_bad_share must lie between 0 and 1, but is {max_share}')
        self.num_samples = num_samples
        self.max_share = max_share
        self.grace = grace
        self._counts = torch.zeros(WORKER_ROWS, 2, dtype=torch.int64).share_memory_()
        self._is_bad = torch.zeros(num_samples, dtype=torch.bool).share_memory_()

    @property
    def seen(self) -> int:
        """How many images were loaded or found bad."""
        return int(self._counts[:, 0].sum())

    @property
    def bad(self) -> int:
        """How many of them were bad; one that is met twice counts twice."""
        return int(self._counts[:, 1].sum())

    def indices(self) -> list[int]:
        """Indices of the samples found bad so far, ascending."""
        return self._is_bad.nonzero().flatten().tolist()

    def count_seen(self) -> None:
        """Count an image that is about to be loaded."""
        self._counts.numpy()[worker_row(), 0] += 1

    def count_bad(self, idx: int, error: BadImageError) -> None:
        """Count a bad image and log it the first time that it is met.

        Args:
            idx (int): Index of its sample.
            error (BadImageError): What was wrong.

        Raises:
            TooManyBadImagesError: When the share of bad images exceeds the limit, or no image of
                the data set is left.
        """
        self._counts.numpy()[worker_row(), 1] += 1
        if not self._is_bad[idx]:
            self._is_bad[idx] = True
            # mmengine shows nothing below an error on the other ranks.
            level = logging.WARNING if get_rank() == 0 else logging.ERROR
            print_log(f'{error}; another sample takes its place', 'current', level)
        seen, bad = self.seen, self.bad
        if bad >= self.num_samples and self._is_bad.all():
            raise TooManyBadImagesError(
                f'none of the {self.num_samples} images can be read; the last one: {error}'
            )
        if seen >= min(self.grace, self.num_samples) and bad > self.max_share * seen:
            raise TooManyBadImagesError(
                f'{bad} of the {seen} images loaded so far are bad, which is more than '
                f'max_bad_share={self.max_share} allows; the last one: {error}. The log names '
                'all of them: repair or remove the files, or raise max_bad_share'
            )

    def __deepcopy__(self, memo: dict) -> 'BadImageCounter':
        """A counter of its own that starts from nothing."""
        return BadImageCounter(self.num_samples, self.max_share, self.grace)

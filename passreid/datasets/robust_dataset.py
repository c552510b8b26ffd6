"""What all data sets of passreid share: seeded samples, and bad images replaced."""

import copy
import logging
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset, Compose
from mmengine.dist import get_rank
from mmengine.logging import print_log
from numpy.random import mtrand
from torch.utils.data import get_worker_info

from passreid.registry import TRANSFORMS
from passreid.utils.messages import printable

from .storage.decoding import BadImageError, TooManyBadImagesError

_MAX_WORKERS = 256
# Swapping numpy's bit generator costs 1 us, saving and restoring its state 110 us.
_SAMPLE_BITS = np.random.MT19937(0)


class RobustDataset(BaseDataset):
    """A data set whose samples are reproducible and which survives bad images.

    While the pipeline runs on sample ``i``, numpy, ``random`` and torch's CPU generator are seeded
    from (seed, epoch, i), whichever worker runs it and whatever ran before; an index that is drawn
    again in an epoch brings its own ``repeat``. In training, a sample whose pipeline raises
    :class:`.BadImageError` is counted, logged by name and replaced by another that its own seed
    determines; too many of them stop the training. In test mode a bad image is an error.

    Args:
        pipeline (list | tuple): Transforms, or configs of transforms. Defaults to none.
        seed (int): Seed of the samples' random numbers. Defaults to 0.
        max_bad_share (float): Share of bad images above which training stops. Defaults to 0.01.
        bad_grace (int): The share is judged after this many images, or all of a smaller data set.
            Defaults to 1000.
        **kwargs: The other arguments of :class:`mmengine.dataset.BaseDataset`.
    """

    def __init__(
        self,
        *,
        pipeline: Sequence[dict | Callable] = (),
        seed: int = 0,
        max_bad_share: float = 0.01,
        bad_grace: int = 1000,
        **kwargs,
    ) -> None:
        if not 0 <= max_bad_share <= 1:
            raise ValueError(f'max_bad_share must lie between 0 and 1, but is {max_bad_share}')
        # Shared with workers, so that those that are already running follow.
        self._seed_epoch = torch.tensor([seed, 0]).share_memory_()
        self.max_bad_share, self.bad_grace = max_bad_share, bad_grace
        super().__init__(pipeline=_build(pipeline).transforms, **kwargs)

    def full_init(self) -> None:
        """Load the list of samples."""
        if not self._fully_initialized:
            super().full_init()
            self._start_counts()

    def _start_counts(self) -> None:
        # Images loaded or found bad, and bad ones; row 0 of the main process, then the workers'.
        self._counts = torch.zeros(1 + _MAX_WORKERS, 2, dtype=torch.int64).share_memory_()
        self._is_bad = torch.zeros(len(self), dtype=torch.bool).share_memory_()
        self._seed_epoch = self._seed_epoch.clone().share_memory_()

    def with_pipeline(self, pipeline: Sequence[dict | Callable]) -> 'RobustDataset':
        """Return a copy whose samples go through another pipeline, with counts of its own."""
        self.full_init()
        other = copy.copy(self)
        other.pipeline = _build(pipeline)
        other._start_counts()
        return other

    def set_seed(self, seed: int) -> None:
        """Change the seed of the samples' random numbers, which is not negative."""
        self._seed_epoch[0] = seed

    def set_epoch(self, epoch: int) -> None:
        """Give every sample the random numbers of an epoch, which is not negative."""
        self._seed_epoch[1] = epoch

    def bad_image_summary(self) -> dict[str, Any]:
        """Return how many images were ``seen``, how many of them ``bad``, and their ``names``."""
        self.full_init()
        seen, bad = self._counts.sum(0).tolist()
        names = [self.image_name(idx) for idx in self._is_bad.nonzero().flatten().tolist()]
        return {'seen': seen, 'bad': bad, 'names': names}

    def image_name(self, idx: int) -> str:
        """Return the path of an image, found without reading it."""
        return self.get_data_info(idx)['img_path']

    def prepare_data(self, idx: int) -> Any:
        """Run the pipeline on a sample; returns None for a bad image in training."""
        worker = get_worker_info()
        counts = self._counts.numpy()[worker.id % _MAX_WORKERS + 1 if worker else 0]
        counts[0] += 1
        try:
            return super().prepare_data(idx)
        except BadImageError as error:
            if self.test_mode:
                raise
            counts[1] += 1
            self._report_bad(idx, error)
            return None
        except Exception:
            text = f'sample {idx}, {printable(self.image_name(idx))}, could not be made'
            print_log(text, 'current', logging.ERROR)
            raise

    def _report_bad(self, idx: int, error: BadImageError) -> None:
        """Log a bad image the first time, and raise an error when there are too many."""
        if not self._is_bad[idx]:
            self._is_bad[idx] = True
            # mmengine shows nothing below an error on the other ranks.
            level = logging.WARNING if get_rank() == 0 else logging.ERROR
            print_log(f'{error}; another sample takes its place', 'current', level)
        seen, bad = self._counts.sum(0).tolist()
        if seen >= min(self.bad_grace, len(self)) and bad > self.max_bad_share * seen:
            raise TooManyBadImagesError(
                f'{bad} of the {seen} images loaded so far are bad, which is more than '
                f'max_bad_share={self.max_bad_share} allows; the last one: {error}. The log names '
                'all of them: repair or remove the files, or raise max_bad_share'
            )

    def __getitem__(self, idx: int) -> Any:
        """Run the pipeline on a sample, in training on another if its image is bad."""
        repeat, idx = getattr(idx, 'repeat', 0), int(idx)
        if not -len(self) <= idx < len(self):
            raise IndexError(f'sample {idx} of {len(self)} samples')
        idx %= len(self)
        key = (*self._seed_epoch.tolist(), idx)
        with seeded(*key, repeat) if repeat else seeded(*key):
            return super().__getitem__(idx)


def _build(pipeline: Sequence[dict | Callable]) -> Compose:
    # Built here: mmengine would look a type up in the default scope of the moment.
    return Compose([TRANSFORMS.build(t) if isinstance(t, dict) else t for t in pipeline])


@contextmanager
def seeded(*key: int) -> Iterator[None]:
    """Seed numpy, ``random`` and torch's CPU generator by a key, and restore them afterwards."""
    words = np.random.SeedSequence(key).generate_state(4)
    number = int(words[:2].view(np.uint64)[0])
    outer = mtrand.get_bit_generator()
    python_state, torch_state = random.getstate(), torch.get_rng_state()
    mtrand.set_bit_generator(_SAMPLE_BITS)
    np.random.seed(words)
    random.seed(number)
    torch.default_generator.manual_seed(number)
    try:
        yield
    finally:
        mtrand.set_bit_generator(outer)
        random.setstate(python_state)
        torch.set_rng_state(torch_state)

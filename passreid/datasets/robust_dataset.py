"""What all data sets of passreid share: seeded samples and bad images replaced."""

import copy
import logging
from collections.abc import Callable, Sequence
from typing import Any

from mmengine.dataset import BaseDataset, Compose
from mmengine.logging import print_log

from passreid.registry import TRANSFORMS
from passreid.utils.printable import printable

from .repeated_index import visit_of
from .sample_seed import SampleSeed
from .storage.bad_images import BadImageCounter, BadImageError
from .storage.samples_in_work import SamplesInWork


class RobustDataset(BaseDataset):
    """A data set whose samples are reproducible and which survives bad images.

    - While the pipeline runs on sample ``i``, numpy, ``random`` and torch's CPU generator are
      seeded from (seed, epoch, i), whichever worker runs it and whatever ran before. Samplers
      that draw a sample again in an epoch give it other numbers (:class:`RepeatedIndex`).
    - In training, a sample whose pipeline raises :class:`BadImageError` is counted, logged by
      name and replaced by another that its own seed determines; too many of them stop the
      training. In test mode a bad image is an error: nothing is replaced in an evaluation.
    - Any other error, and the death of a worker (:func:`named_lost_samples`), is reported with the
      name of the sample.

    Args:
        pipeline (list | tuple): Transforms, or configs of transforms. Defaults to none.
        seed (int): Seed of the samples' random numbers. Defaults to 0.
        max_bad_share (float): Share of bad images above which training stops.
            Defaults to 0.01.
        bad_grace (int): The share is judged after this many images, or after as many as
            there are in a smaller data set. Defaults to 1000.
        **kwargs: The other arguments of :class:`mmengine.dataset.BaseDataset`.
    """

    # Place of the first sample in a joint data set: samples are seeded by their place there.
    first_index = 0

    def __init__(
        self,
        *,
        pipeline: Sequence[dict | Callable] = (),
        seed: int = 0,
        max_bad_share: float = 0.01,
        bad_grace: int = 1000,
        **kwargs,
    ) -> None:
        self._sample_seed = SampleSeed(seed)
        self._in_work = SamplesInWork()
        self._bad_images = BadImageCounter(0, max_bad_share, bad_grace)
        super().__init__(pipeline=_build_pipeline(pipeline).transforms, **kwargs)

    def full_init(self) -> None:
        """Load the list of samples."""
        if self._fully_initialized:
            return
        super().full_init()
        limits = self._bad_images
        self._bad_images = BadImageCounter(len(self), limits.max_share, limits.grace)

    def with_pipeline(self, pipeline: Sequence[dict | Callable]) -> 'RobustDataset':
        """Return a copy whose samples go through another pipeline.

        It shares the list of samples; seed, epoch and the count of bad images are its own.

        Args:
            pipeline (Sequence[dict | Callable]): Transforms, or configs of transforms.
        """
        other = copy.copy(self)
        other.pipeline = _build_pipeline(pipeline)
        other._sample_seed = copy.deepcopy(self._sample_seed)
        other._bad_images = copy.deepcopy(self._bad_images)
        other._in_work = SamplesInWork()
        return other

    def as_part(self, first_index: int, transform: Callable[[dict], dict]) -> 'RobustDataset':
        """Return a copy that is part of a joint data set, see :meth:`with_pipeline`.

        Args:
            first_index (int): Index of the first sample in the joint data set.
            transform (Callable): What the pipeline begins with.
        """
        part = self.with_pipeline([transform, *self.pipeline.transforms])
        part.first_index = first_index
        return part

    def set_seed(self, seed: int) -> None:
        """Change the seed; workers that are already running follow.

        Args:
            seed (int): Seed of the samples' random numbers, not negative.
        """
        self._sample_seed.seed = seed

    def set_epoch(self, epoch: int) -> None:
        """Give every sample fresh random numbers; workers that are already running follow.

        Args:
            epoch (int): Number of the epoch, not negative.
        """
        self._sample_seed.epoch = epoch

    def bad_image_summary(self) -> dict[str, Any]:
        """What the workers of this process have met so far.

        Returns:
            dict: ``seen`` (int) images loaded, ``bad`` (int) of them bad, ``share`` (float)
            and ``names`` (list[str]) of the bad ones without repetition.
        """
        seen, bad = self._bad_images.seen, self._bad_images.bad
        names = [self.image_name(idx) for idx in self._bad_images.indices()]
        return {'seen': seen, 'bad': bad, 'share': bad / max(seen, 1), 'names': names}

    def image_name(self, idx: int) -> str:
        """Path of an image, found without reading it.

        Args:
            idx (int): Index of the sample.
        """
        return self.get_data_info(idx)['img_path']

    def prepare_data(self, idx: int) -> Any:
        """Run the pipeline on a sample.

        Args:
            idx (int): Index of the sample.

        Returns:
            Any: What the pipeline returns, or None for a bad image in training.

        Raises:
            BadImageError: For a bad image in test mode.
            TooManyBadImagesError: For one bad image too many in training.
        """
        self._bad_images.count_seen()
        try:
            with self._in_work.begun(self.image_name(idx)):
                return super().prepare_data(idx)
        except BadImageError as error:
            if self.test_mode:
                raise
            self._bad_images.count_bad(idx, error)
            return None
        except Exception:
            text = f'sample {idx}, {printable(self.image_name(idx))}, could not be made'
            print_log(text, 'current', logging.ERROR)
            raise

    def __getitem__(self, idx: int) -> Any:
        """Run the pipeline on a sample, in training on another if its image is bad.

        Args:
            idx (int): Index of the sample.
        """
        visit, idx = visit_of(idx), int(idx)
        if not -len(self) <= idx < len(self):
            raise IndexError(f'sample {idx} of {len(self)} samples')
        idx %= len(self)
        with self._sample_seed.of_sample(self.first_index + idx, visit):
            return super().__getitem__(idx)


def _build_pipeline(pipeline: Sequence[dict | Callable]) -> Compose:
    # Built here: mmengine would look a type up in the default scope of the moment.
    return Compose([TRANSFORMS.build(t) if isinstance(t, dict) else t for t in pipeline])

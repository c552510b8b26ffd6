"""What the page of the demo asks of an inferencer."""

import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from passreid import ReIDInferencer
from passreid.datasets.text_number import text_number
from passreid.search import GalleryRecord, Match, SearchFilter


@dataclass(frozen=True)
class Found:
    """Outcome of a search.

    Attributes:
        matches (list[Match]): Most similar first.
        best (Match, optional): The most similar image that the filter allows, also when it is less
            similar than was asked for.
        seconds (float): What it took, the feature of the query included.
    """

    matches: list[Match]
    best: Match | None
    seconds: float


class CameraNames:
    r"""Reads the camera out of the path of an image.

    Args:
        pattern (str): Regular expression with a group ``camera``, looked for in the file name.

    Raises:
        ValueError: When it is no regular expression or lacks the group.

    Examples:
        >>> CameraNames(r'_c(?P<camera>\d+)')('crops/0042_c3s1_000017.jpg').cam_id
        3
    """

    def __init__(self, pattern: str) -> None:
        try:
            self.regex = re.compile(pattern)
        except re.error as error:
            raise ValueError(f'{pattern!r} is no regular expression: {error}') from error
        if 'camera' not in self.regex.groupindex:
            raise ValueError(f'{pattern!r} lacks the group (?P<camera>...)')

    def __call__(self, path: str) -> GalleryRecord:
        """Return the record of an image, its camera -1 when the name has none."""
        found = self.regex.search(os.path.basename(path))
        return GalleryRecord(path, cam_id=text_number(found['camera']) if found else -1)


class CropSearch:
    """Searches the gallery of an inferencer for one crop.

    Args:
        inferencer (ReIDInferencer): With a gallery.
    """

    def __init__(self, inferencer: ReIDInferencer) -> None:
        if inferencer.gallery is None:
            raise ValueError('the inferencer has no gallery to search')
        self.inferencer = inferencer
        # The first search pays for what is set up once.
        self.find(np.zeros((64, 32, 3), np.uint8), 1)

    def __len__(self) -> int:
        """Return how many images there are."""
        return len(self.inferencer.gallery)

    def find(
        self,
        crop: np.ndarray,
        topk: int,
        least: float | None = None,
        not_cameras: Sequence[int] = (),
    ) -> Found:
        """Search.

        Args:
            crop (np.ndarray): ``(H, W, 3)`` uint8 in RGB.
            topk (int): At most so many images.
            least (float, optional): Least similarity. Defaults to None.
            not_cameras (Sequence[int]): Cameras to leave out. Defaults to none.
        """
        start = time.perf_counter()
        where = SearchFilter(not_cameras=tuple(not_cameras))
        (found,) = self.inferencer(crop[..., ::-1], topk, where)
        matches = [match for match in found if least is None or match.similarity >= least]
        best = found[0] if found else None
        return Found(matches, best, time.perf_counter() - start)

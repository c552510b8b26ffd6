"""Clustering of images, ours and the plain one, ready to be timed."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import plain_clustering
import torch

from passreid.clustering import jaccard_distance
from passreid.clustering.pseudo_labels import label_distances_

PHASES = ('neighbours', 'Jaccard', 'DBSCAN')
EPS = 0.6
SEED = 0


@dataclass(frozen=True)
class Setting:
    """What is clustered.

    Args:
        number (int): Images.
        dims (int): Of the features.
        search (str): Of ours: ``'exact'`` or ``'faiss'``.
        images (int): Of a person, on average.
        looks (int): Independent properties of people.
        spread (float): How far an image is from its person in each, by how far people are.
        noise (float): In each dimension of a feature, by the spread of people in it.
    """

    number: int
    dims: int = 768
    search: str = 'exact'
    images: int = 17
    looks: int = 16
    spread: float = 0.4
    noise: float = 0.2

    def features(self) -> torch.Tensor:
        """Draw features ``(N, D)`` of unit length; like real ones they depend on few things."""
        generator = torch.Generator().manual_seed(SEED)
        num_people = max(self.number // self.images, 1)
        person = torch.randint(num_people, (self.number,), generator=generator)
        looks = torch.randn(num_people, self.looks, generator=generator)[person]
        looks += self.spread * torch.randn(self.number, self.looks, generator=generator)
        mixing = torch.randn(self.looks, self.dims, generator=generator) / self.looks**0.5
        features = torch.randn(self.number, self.dims, generator=generator).mul_(self.noise)
        features.addmm_(looks, mixing)
        return features.div_(features.norm(dim=1, keepdim=True))


class Outcome(NamedTuple):
    """What a side comes to.

    Args:
        labels (np.ndarray): Cluster of each image.
        seconds (dict[str, float]): Of each phase.
    """

    labels: np.ndarray
    seconds: dict[str, float]


def build_work(setting: Setting, side: str) -> Callable[[], Outcome]:
    """Make the work of one side, ``'ours'`` or ``'plain'``, ready."""
    work = {'ours': _cluster_ours, 'plain': _cluster_plainly}[side]
    # Compiles or loads what is needed, so that the work itself is measured.
    work(Setting(200, 16).features(), setting.search)
    features = setting.features()
    return lambda: work(features, setting.search)


def _cluster_plainly(features: torch.Tensor, _: str) -> Outcome:
    times = [time.perf_counter()]
    order = plain_clustering.nearest(features)
    times.append(time.perf_counter())
    distances = plain_clustering.jaccard(features, order)
    times.append(time.perf_counter())
    labels = plain_clustering.cluster(distances, EPS)
    times.append(time.perf_counter())
    return Outcome(labels, _phases(times))


def _cluster_ours(features: torch.Tensor, search: str) -> Outcome:
    searched = 0.0

    def note(done: int, total: int) -> None:
        nonlocal searched
        searched = time.perf_counter()

    start = time.perf_counter()
    distances = jaccard_distance(features, max_distance=EPS, search=search, progress=note)
    compared = time.perf_counter()
    labels = label_distances_(distances, EPS)
    return Outcome(labels, _phases([start, searched, compared, time.perf_counter()]))


def _phases(times: list[float]) -> dict[str, float]:
    return dict(zip(PHASES, np.diff(times).tolist(), strict=True))

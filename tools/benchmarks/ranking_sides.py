"""Evaluation and re-ranking, ours and the plain ones, ready to be timed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import plain_ranking
import torch

from passreid.evaluation.functional import RankingResult, rank_features, re_ranking

Features = tuple[torch.Tensor, torch.Tensor]
Labels = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
STEP = 64
SEED = 0  # One without equal distances where lists of neighbours end.


@dataclass(frozen=True)
class Setting:
    """What is ranked.

    Args:
        queries (int): Images to look for.
        gallery (int): Images to look among.
        identities (int): People in both.
        others (int): People in the gallery alone.
        cameras (int): Number of cameras.
        dims (int): Of the features.
        likeness (float): Mean cosine of two images of one person.
    """

    queries: int
    gallery: int
    identities: int
    others: int
    cameras: int
    dims: int = 768
    likeness: float = 0.16

    def features(self) -> Features:
        """Draw features of queries and gallery.

        They are multiples of 1/64, whose products float32 sums exactly at this size: both sides
        see the same distances, and no neighbour is cut off by rounding on one of them alone.
        """
        generator = torch.Generator().manual_seed(SEED)
        people = torch.randn(self.identities + self.others, self.dims, generator=generator)
        sides = []
        for pids in self.labels()[:2]:
            features = torch.randn(len(pids), self.dims, generator=generator)
            features *= (1 - self.likeness) ** 0.5
            features += self.likeness**0.5 * people[pids]
            sides.append(features.mul_(STEP).round_().div_(STEP))
        return sides[0], sides[1]

    def labels(self) -> Labels:
        """Draw identities of queries and gallery, then their cameras."""
        generator = np.random.default_rng(SEED)
        query_pids = generator.integers(0, self.identities, self.queries)
        gallery_pids = generator.integers(0, self.identities + self.others, self.gallery)
        cameras = (generator.integers(0, self.cameras, n) for n in (self.queries, self.gallery))
        query_cam_ids, gallery_cam_ids = cameras
        return query_pids, gallery_pids, query_cam_ids, gallery_cam_ids


# Sizes of the test sets of Market-1501 and MSMT17.
MARKET = Setting(3368, 15913, identities=750, others=450, cameras=6)
MSMT = Setting(11659, 82161, identities=3060, others=0, cameras=15)
RE_RANKED = Setting(1000, 8000, identities=250, others=150, cameras=6)
SMALL = Setting(20, 60, identities=10, others=2, cameras=3, dims=16, likeness=0.5)


def build_work(setting: Setting, side: str, part: str) -> Callable[[], Any]:
    """Make the work of one side ready.

    Args:
        setting (Setting): What is ranked.
        side (str): ``'ours'`` or ``'plain'``.
        part (str): ``'evaluation'``; ``'re-ranking'``; or of ours ``'re-ranked evaluation'``, which
            never holds the re-ranked distances of all queries.

    Returns:
        Callable: Does the work. Re-ranking returns distances, evaluation ``mAP``, ``cmc`` and
        ``mINP`` by name.
    """
    work = _WORK[side, part]
    # Compiles or loads what is needed, so that the work itself is measured.
    work(SMALL.features(), SMALL.labels())
    features, labels = setting.features(), setting.labels()
    return lambda: work(features, labels)


def _plain_evaluation(features: Features, labels: Labels) -> dict[str, np.ndarray]:
    query_pids, gallery_pids, query_cam_ids, gallery_cam_ids = labels
    distances = plain_ranking.squared_distances(*features)
    return plain_ranking.evaluate(
        distances, query_pids, gallery_pids, query_cam_ids, gallery_cam_ids
    )


def _plain_re_ranking(features: Features, labels: Labels) -> np.ndarray:
    return plain_ranking.re_rank(*features)


def _evaluation(features: Features, labels: Labels) -> RankingResult:
    return rank_features(*features, *labels)


def _re_ranking(features: Features, labels: Labels) -> np.ndarray:
    return re_ranking(*features)


def _re_ranked_evaluation(features: Features, labels: Labels) -> RankingResult:
    return rank_features(*features, *labels, rerank={})


_WORK = {
    ('plain', 'evaluation'): _plain_evaluation,
    ('plain', 're-ranking'): _plain_re_ranking,
    ('ours', 'evaluation'): _evaluation,
    ('ours', 're-ranking'): _re_ranking,
    ('ours', 're-ranked evaluation'): _re_ranked_evaluation,
}

"""Compare evaluation and re-ranking with plain compositions on dense matrices.

Measured are evaluation at the size of Market-1501, from features to mAP, CMC and mINP, and
k-reciprocal re-ranking of 1000 x 8000 images. Both sides run in turn in one process and must give
the same numbers. Peak memory is what the work adds to the features.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import measure
import numpy as np
import plain_ranking
import torch

from passreid.evaluation.functional import rank_features, re_ranking

TOLERANCE = 5e-6
STEP = 64
SEED = 0  # One without equal distances where lists of neighbors end.


@dataclass(frozen=True)
class Setting:
    """How many images and people are ranked, and what their features are like."""

    queries: int
    gallery: int
    identities: int
    others: int  # People in the gallery alone.
    cameras: int
    dims: int = 768
    likeness: float = 0.16  # Mean cosine of two images of one person.

    def features(self) -> list[torch.Tensor]:
        """Draw features of queries and gallery.

        They are multiples of 1/64, whose products float32 sums exactly at this size: both sides
        see the same distances, and no neighbor is cut off by rounding on one of them alone.
        """
        generator = torch.Generator().manual_seed(SEED)
        people = torch.randn(self.identities + self.others, self.dims, generator=generator)
        sides = []
        for pids in self.labels()[:2]:
            features = torch.randn(len(pids), self.dims, generator=generator)
            features *= (1 - self.likeness) ** 0.5
            features += self.likeness**0.5 * people[pids]
            sides.append(features.mul_(STEP).round_().div_(STEP))
        return sides

    def labels(self) -> list[np.ndarray]:
        """Draw identities of queries and gallery, then their cameras."""
        generator = np.random.default_rng(SEED)
        sizes = self.queries, self.gallery
        people = self.identities, self.identities + self.others
        pids = [generator.integers(0, top, n) for top, n in zip(people, sizes, strict=True)]
        return pids + [generator.integers(0, self.cameras, n) for n in sizes]


# Sizes of the test sets of Market-1501 and MSMT17.
MARKET = Setting(3368, 15913, identities=750, others=450, cameras=6)
MSMT = Setting(11659, 82161, identities=3060, others=0, cameras=15)
RE_RANKED = Setting(1000, 8000, identities=250, others=150, cameras=6)
SMALL = Setting(20, 60, identities=10, others=2, cameras=3, dims=16, likeness=0.5)

WORKS: dict[tuple[str, str], Callable] = {
    ('plain', 'evaluation'): lambda features, labels: plain_ranking.evaluate(
        plain_ranking.squared_distances(*features), *labels
    ),
    ('plain', 're-ranking'): lambda features, labels: plain_ranking.re_rank(*features),
    ('ours', 'evaluation'): lambda features, labels: rank_features(*features, *labels),
    ('ours', 're-ranking'): lambda features, labels: re_ranking(*features),
    # Never holds the re-ranked distances of all queries.
    ('ours', 're-ranked evaluation'): lambda features, labels: rank_features(
        *features, *labels, rerank={}
    ),
}


def build_work(side: str, part: str, setting: Setting) -> Callable[[], Any]:
    """Make a key of :data:`WORKS` ready for a setting, and compile or load what it needs."""
    work = WORKS[side, part]
    work(SMALL.features(), SMALL.labels())
    features, labels = setting.features(), setting.labels()
    return lambda: work(features, labels)


def largest_difference(plain: Any, ours: Any) -> float:
    """Compare re-ranked distances, or scores by name."""
    if isinstance(plain, dict):
        return max(float(np.abs(plain[name] - ours[name]).max()) for name in plain)
    return float(np.abs(plain - ours).max())


def compare(
    part: str, setting: Setting, rounds: int, sides: tuple[str, ...] = measure.SIDES
) -> None:
    """Print times and memory of the sides and their ratios; fail when their numbers differ."""
    title = f'{part} {setting.queries} x {setting.gallery}'
    best = measure.best_rounds({side: build_work(side, part, setting) for side in sides}, rounds)
    if len(sides) > 1:
        difference = largest_difference(best['plain'][1], best['ours'][1])
        measure.check_agreement(part, difference, TOLERANCE)
    measure.print_row(f'{title}, s', {side: seconds for side, (seconds, _) in best.items()}, '.2f')
    del best
    measure.print_peaks(title, build_work, {side: (side, part, setting) for side in sides})


def main() -> None:
    """Print times, memory and their ratios."""
    parser = measure.make_parser(__doc__)
    parser.add_argument('--rounds', type=int, default=5, help='the best of this many counts')
    text = 'also run ours at the size of MSMT17 (minutes)'
    parser.add_argument('--msmt17', action='store_true', help=text)
    args = parser.parse_args()
    measure.print_head(f'{MARKET.dims} dimensions, float32')
    compare('evaluation', MARKET, args.rounds)
    compare('re-ranking', RE_RANKED, args.rounds)
    if args.msmt17:
        for part in ('evaluation', 're-ranked evaluation'):
            compare(part, MSMT, 1, ('ours',))


if __name__ == '__main__':
    main()

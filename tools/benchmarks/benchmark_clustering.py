"""Compare clustering of unlabelled images with a plain composition on dense matrices.

From features to pseudo labels: nearest neighbors, Jaccard distances of k-reciprocal sets, DBSCAN.
The plain composition holds matrices of all pairs. Both sides run in turn in one process, and it is
checked that they give the same labels. Peak memory is what the work adds to the features, measured
in a process for each figure. Sizes above ``--plain-up-to`` are measured on our side alone.

Example:
    python tools/benchmarks/benchmark_clustering.py
    python tools/benchmarks/benchmark_clustering.py --sizes 200000 --dims 256 --search faiss
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import plain_ranking
import torch
from measure import SIDES, best_rounds, print_head, print_peaks, print_row

from passreid.clustering import jaccard_distance
from passreid.clustering.pseudo_labels import label_distances_

# Two small ones, then the training sets of Market-1501 and MSMT17.
SIZES = (2000, 5000, 12936, 32621)
PHASES = ('neighbors', 'Jaccard', 'DBSCAN')
EPS = 0.6
SEED = 0
# Labels and the seconds of each phase.
Outcome = tuple[np.ndarray, np.ndarray]


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


def cluster_plainly(features: torch.Tensor, _: str) -> Outcome:
    """Cluster features with matrices of all pairs."""
    times = [time.perf_counter()]
    order = plain_ranking.nearest(features)
    times.append(time.perf_counter())
    distances = plain_ranking.jaccard(features, order)
    times.append(time.perf_counter())
    labels = plain_ranking.cluster(distances, EPS)
    return labels, np.diff([*times, time.perf_counter()])


def cluster(features: torch.Tensor, search: str) -> Outcome:
    """Cluster features with passreid."""
    searched = []
    start = time.perf_counter()
    distances = jaccard_distance(
        features,
        max_distance=EPS,
        search=search,
        progress=lambda done, total: searched.append(time.perf_counter()),
    )
    compared = time.perf_counter()
    labels = label_distances_(distances, EPS)
    return labels, np.diff([start, searched[-1], compared, time.perf_counter()])


def build_work(side: str, setting: Setting) -> Callable[[], Outcome]:
    """Make the work of a side ready, and compile or load what it needs."""
    work = {'ours': cluster, 'plain': cluster_plainly}[side]
    work(Setting(200, 16).features(), setting.search)
    features = setting.features()
    return lambda: work(features, setting.search)


def report(setting: Setting, sides: tuple[str, ...], rounds: int) -> np.ndarray:
    """Print times and memory of the sides and their ratios, and return the labels.

    Raises:
        RuntimeError: When their labels differ.
    """
    best = best_rounds({side: build_work(side, setting) for side in sides}, rounds)
    labels = best['ours'][1][0]
    for side, (_, (others, _)) in best.items():
        if differing := int((others != labels).sum()):
            raise RuntimeError(f'{side} differs: labels of {differing} of {len(labels)} images')
    same = 'the same labels, ' if len(sides) > 1 else ''
    outliers = np.count_nonzero(labels < 0)
    print(f'{setting.number} images: {same}{labels.max() + 1} clusters, {outliers} outliers')
    for place, phase in enumerate(PHASES):
        seconds = {side: outcome[1][place] for side, (_, outcome) in best.items()}
        print_row(f'{setting.number} {phase}, s', seconds, '.2f')
    print_row(f'{setting.number} total, s', {side: best[side][0] for side in sides}, '.2f')
    print_peaks(f'{setting.number} peak MiB', build_work, {side: (side, setting) for side in sides})
    return labels


def main() -> None:
    """Print times, memory and their ratios for all sizes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--sizes', type=int, nargs='+', default=SIZES, help='numbers of images')
    parser.add_argument('--dims', type=int, default=768, help='dimensions of the features')
    parser.add_argument(
        '--search', choices=('exact', 'faiss'), default='exact', help='how ours finds neighbors'
    )
    parser.add_argument(
        '--plain-up-to', type=int, default=12936, help='largest size of the plain composition'
    )
    parser.add_argument('--rounds', type=int, default=3, help='the best of this many counts')
    args = parser.parse_args()
    print_head(f'{args.dims} dimensions, float32, {args.search} search')
    for size in args.sizes:
        sides = SIDES if size <= args.plain_up_to else ('ours',)
        report(Setting(size, args.dims, args.search), sides, args.rounds)


if __name__ == '__main__':
    main()

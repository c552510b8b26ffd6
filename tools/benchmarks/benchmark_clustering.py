"""Compare clustering of unlabelled images with a plain composition on dense matrices.

From features to pseudo labels: nearest neighbors, Jaccard distances of k-reciprocal sets, DBSCAN.
The plain composition holds matrices of all pairs. Both sides run in turn in one process, and it is
checked that they give the same labels. Peak memory is what the work adds to the features, measured
in a process for each figure. Sizes above ``--plain-up-to`` are measured on our side alone.

Example:
    python tools/benchmarks/benchmark_clustering.py
    python tools/benchmarks/benchmark_clustering.py --sizes 200000 --dims 256 --search faiss
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import measure
import numpy as np
import plain_ranking
import torch

from passreid.clustering import jaccard_distance
from passreid.clustering.pseudo_labels import label_distances_

# Two small ones, then the training sets of Market-1501 and MSMT17.
SIZES = (2000, 5000, 12936, 32621)
PHASES = ('neighbors', 'Jaccard', 'DBSCAN')
EPS = 0.6
SEED = 0
# Images of a person, independent properties of people, how far an image is from its person in each
# by how far people are, and noise in each dimension by the spread of people in it.
IMAGES, LOOKS, SPREAD, NOISE = 17, 16, 0.4, 0.2
# Labels and the seconds of each phase.
Outcome = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Setting:
    """How many images are clustered, and how ours finds neighbors."""

    number: int
    dims: int = 768
    search: str = 'exact'

    def features(self) -> torch.Tensor:
        """Draw features ``(N, D)`` of unit length; like real ones they depend on few things."""
        generator = torch.Generator().manual_seed(SEED)
        num_people = max(self.number // IMAGES, 1)
        person = torch.randint(num_people, (self.number,), generator=generator)
        looks = torch.randn(num_people, LOOKS, generator=generator)[person]
        looks += SPREAD * torch.randn(self.number, LOOKS, generator=generator)
        mixing = torch.randn(LOOKS, self.dims, generator=generator) / LOOKS**0.5
        features = torch.randn(self.number, self.dims, generator=generator).mul_(NOISE)
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
    """Print times and memory of the sides, which must agree, and return the labels."""
    best = measure.best_rounds({side: build_work(side, setting) for side in sides}, rounds)
    labels = best['ours'][1][0]
    if 'plain' in sides:
        measure.check_agreement('labels', float((best['plain'][1][0] != labels).mean()), 0)
    outliers = np.count_nonzero(labels < 0)
    print(f'{setting.number} images: {labels.max() + 1} clusters, {outliers} outliers')
    for place, phase in enumerate(PHASES):
        seconds = {side: outcome[1][place] for side, (_, outcome) in best.items()}
        measure.print_row(f'{setting.number} {phase}, s', seconds, '.2f')
    measure.print_row(f'{setting.number} total, s', {side: best[side][0] for side in sides}, '.2f')
    measure.print_peaks(f'{setting.number}', build_work, {side: (side, setting) for side in sides})
    return labels


def main() -> None:
    """Print times, memory and their ratios for all sizes."""
    parser = measure.make_parser(__doc__)
    option = parser.add_argument
    option('--sizes', type=int, nargs='+', default=SIZES, help='numbers of images')
    option('--dims', type=int, default=768, help='dimensions of the features')
    text = 'how ours finds neighbors'
    option('--search', choices=('exact', 'faiss'), default='exact', help=text)
    text = 'largest size of the plain composition'
    option('--plain-up-to', type=int, default=12936, help=text)
    option('--rounds', type=int, default=3, help='the best of this many counts')
    args = parser.parse_args()
    measure.print_head(f'{args.dims} dimensions, float32, {args.search} search')
    for size in args.sizes:
        sides = measure.SIDES if size <= args.plain_up_to else ('ours',)
        report(Setting(size, args.dims, args.search), sides, args.rounds)


if __name__ == '__main__':
    main()

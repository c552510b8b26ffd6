"""Compare clustering of unlabelled images with a plain composition on dense matrices.

From features to pseudo labels: nearest neighbors, Jaccard distances of k-reciprocal sets, DBSCAN.
Both sides run in turn in one process and must give the same labels. Peak memory is what the work
adds to the features. Sizes above ``--plain-up-to`` are measured on our side alone.
"""

import time
from collections.abc import Callable

import measure
import numpy as np
import plain_ranking
import torch
from sklearn.cluster import DBSCAN

from passreid.clustering import jaccard_distance
from passreid.clustering.pseudo_labels import label_distances_

# Two small ones, then the training sets of Market-1501 and MSMT17.
SIZES = (2000, 5000, 12936, 32621)
PHASES = ('neighbors', 'Jaccard', 'DBSCAN')
EPS = 0.6
# Images of a person, independent properties of people, how far an image is from its person in each
# by how far people are, and noise in each dimension by the spread of people in it.
IMAGES, LOOKS, SPREAD, NOISE = 17, 16, 0.4, 0.2
# Labels and the seconds of each phase.
Outcome = tuple[np.ndarray, np.ndarray]


def draw_features(number: int, dims: int) -> torch.Tensor:
    """Draw features ``(N, D)`` of unit length; like real ones they depend on few things."""
    generator = torch.Generator().manual_seed(0)
    num_people = max(number // IMAGES, 1)
    person = torch.randint(num_people, (number,), generator=generator)
    looks = torch.randn(num_people, LOOKS, generator=generator)[person]
    looks += SPREAD * torch.randn(number, LOOKS, generator=generator)
    mixing = torch.randn(LOOKS, dims, generator=generator) / LOOKS**0.5
    features = torch.randn(number, dims, generator=generator).mul_(NOISE)
    features.addmm_(looks, mixing)
    return features.div_(features.norm(dim=1, keepdim=True))


def cluster_plainly(features: torch.Tensor, _: str) -> Outcome:
    """Cluster features with matrices of all pairs."""
    times = [time.perf_counter()]
    order = plain_ranking.nearest(features)
    times.append(time.perf_counter())
    distances = plain_ranking.jaccard(features, order)
    times.append(time.perf_counter())
    labels = DBSCAN(eps=EPS, min_samples=4, metric='precomputed').fit_predict(distances)
    return labels, np.diff([*times, time.perf_counter()])


def cluster(features: torch.Tensor, search: str) -> Outcome:
    """Cluster features with passreid."""
    times = [time.perf_counter()]
    log = lambda done, total: times.append(time.perf_counter())  # noqa: E731
    distances = jaccard_distance(features, max_distance=EPS, search=search, progress=log)
    compared = time.perf_counter()
    labels = label_distances_(distances, EPS)
    return labels, np.diff([times[0], times[-1], compared, time.perf_counter()])


def build_work(side: str, number: int, dims: int, search: str) -> Callable[[], Outcome]:
    """Make the work of a side ready, and compile or load what it needs."""
    work = {'ours': cluster, 'plain': cluster_plainly}[side]
    work(draw_features(200, 16), search)
    features = draw_features(number, dims)
    return lambda: work(features, search)


def report(sides: tuple[str, ...], rounds: int, *setting: int | str) -> np.ndarray:
    """Print times and memory of the sides, which must agree, and return the labels."""
    best = measure.best_rounds({side: build_work(side, *setting) for side in sides}, rounds)
    labels, number = best['ours'][1][0], setting[0]
    if 'plain' in sides:
        measure.check_agreement('labels', float((best['plain'][1][0] != labels).mean()), 0)
    outliers = np.count_nonzero(labels < 0)
    print(f'{number} images: {labels.max() + 1} clusters, {outliers} outliers')
    for place, phase in enumerate(PHASES):
        seconds = {side: outcome[1][place] for side, (_, outcome) in best.items()}
        measure.print_row(f'{number} {phase}, s', seconds, '.2f')
    measure.print_row(f'{number} total, s', {side: best[side][0] for side in sides}, '.2f')
    measure.print_peaks(f'{number}', build_work, {side: (side, *setting) for side in sides})
    return labels


def main() -> None:
    """Print times, memory and their ratios for all sizes."""
    parser = measure.make_parser(__doc__)
    option = parser.add_argument
    option('--sizes', type=int, nargs='+', default=SIZES, help='numbers of images')
    option('--dims', type=int, default=768, help='dimensions of the features')
    option('--search', choices=('exact', 'faiss'), default='exact', help='of our neighbors')
    option('--plain-up-to', type=int, default=12936, help='largest size of the plain composition')
    option('--rounds', type=int, default=3, help='the best of this many counts')
    args = parser.parse_args()
    measure.print_head(f'{args.dims} dimensions, float32, {args.search} search')
    for size in args.sizes:
        sides = measure.SIDES if size <= args.plain_up_to else ('ours',)
        report(sides, args.rounds, size, args.dims, args.search)


if __name__ == '__main__':
    main()

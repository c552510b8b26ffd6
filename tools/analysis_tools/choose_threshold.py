"""Choose the similarity from which on two images are taken to show one person.

RESULT_DIR is what ``tools/test.py --out`` wrote, for people whom the model was not trained on and
who are like those to be searched. A false match is a query and a gallery image of two people that
are more similar than the threshold, which is the ``min_similarity`` of ``ReIDInferencer``.
"""

import math
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from passreid.evaluation import load_result
from passreid.evaluation.functional import SimilarityCurve, SimilarityThreshold, similarity_curve
from passreid.evaluation.functional.verification import RULE_OF_30
from passreid.evaluation.metrics.progress_log import ProgressLog
from passreid.evaluation.metrics.result_file import RESULT_NAME
from passreid.utils.device import array_device
from passreid.visualization import Table, write_png

_RATES = (0.1, 0.01, 0.001, 0.0001)
_NUM_BARS = 120
# Share of the least similar pairs that the picture leaves out.
_TAIL = 0.001
# Okabe and Ito's colours, told apart by everyone.
_MATCHING, _OTHERS, _THRESHOLD = '#0072b2', '#d55e00', '#333333'


def count_similarities(folder: str | Path) -> SimilarityCurve:
    """Count how similar all pairs of a saved result are that count."""
    result = load_result(folder)
    # The saved rankings hold the first images alone.
    with np.load(Path(folder) / RESULT_NAME, allow_pickle=False) as data:
        features, is_query = data['features'], data['is_query']
    places = {path: place for place, path in enumerate(result.gallery_paths.tolist())}
    same = np.array([places.get(path, -1) for path in result.query_paths.tolist()])
    ids = result.query_pids, result.gallery_pids, result.query_cam_ids, result.gallery_cam_ids
    options = dict(same_image=same, device=array_device(), progress=ProgressLog('comparing'))
    return similarity_curve(features[is_query], features[~is_query], *ids, **options)


def up_to(similarity: float) -> str:
    """Write a threshold with five decimals, not below it: then the rate still holds."""
    return f'{math.ceil(similarity * 1e5) / 1e5:.5f}'


def table(curve: SimilarityCurve, wanted: float) -> str:
    """Return thresholds for the wanted rate and for some others, and how much to trust them."""
    points = [curve.threshold(rate) for rate in sorted({wanted, *_RATES}, reverse=True)]
    rows = []
    for point in points:
        mark, doubt = '>'[: point.wanted == wanted], '' if point.is_supported else 'uncertain'
        figures = str(point.false_matches), f'{point.true_match_rate:.1%}'
        rows.append((mark, f'{point.wanted:g}', up_to(point.similarity), *figures, doubt))
    header = ('', 'false match rate', 'threshold', 'false matches', 'true match rate', '')
    others = int(curve.others.sum())
    text = f'{int(curve.matching.sum())} pairs of one person, {others} of two people\n'
    text += Table(header, rows).to_text()
    if not all(point.is_supported for point in points):
        text += (
            f'\nuncertain: fewer than {RULE_OF_30} false matches were seen, so that the true rate '
            f'may well be 30 % away; this set supports rates from {RULE_OF_30 / others:.2g} on'
        )
    note = 'Pairs share images and people: few people make rates less certain than pairs suggest'
    return f'{text}\n{note}'


def draw(curve: SimilarityCurve, point: SimilarityThreshold) -> Figure:
    """Draw how similar pairs of each kind are, and the rates by threshold; one is marked."""
    figure = Figure(figsize=(9.2, 3.6), layout='constrained')
    shares, rates = figure.subplots(1, 2, sharex=True)
    centers = (curve.edges[:-1] + curve.edges[1:]) / 2
    more_similar = np.cumsum(curve.others) / curve.others.sum()
    left = min(centers[np.searchsorted(more_similar, 1 - _TAIL)], centers[curve.matching > 0].min())
    bars = np.linspace(left, curve.edges.max(), _NUM_BARS + 1)
    kinds = (
        ('one person', 'true match rate', curve.matching, dict(color=_MATCHING, linestyle='-')),
        ('two people', 'false match rate', curve.others, dict(color=_OTHERS, linestyle='--')),
    )
    for name, rate, counts, style in kinds:
        of_bar, _ = np.histogram(centers, bars, weights=counts / counts.sum())
        shares.stairs(of_bar, bars, fill=True, color=style['color'], alpha=0.3)
        shares.stairs(of_bar, bars, label=name, **style)
        accepted = np.concatenate([[0], np.cumsum(counts)]) / counts.sum()
        rates.step(curve.edges, accepted, where='pre', label=rate, **style)
    rates.set(yscale='log', ylim=(0.5 / curve.others.sum(), 1.5))
    shares.set_xlim(left)
    for axes, title, label in (
        (shares, 'Pairs of images', 'share of the pairs of its kind'),
        (rates, 'Pairs more similar than a threshold', 'share'),
    ):
        axes.set_title(title, fontsize=10, loc='left', fontweight='bold')
        axes.set_ylabel(label, fontsize=9)
        axes.set_xlabel('similarity (cosine)', fontsize=9)
        axes.axvline(point.similarity, color=_THRESHOLD, linewidth=1.2)
        axes.grid(color='#e3e3e3', linewidth=0.7)
        axes.spines[['top', 'right']].set_visible(False)
        axes.legend(fontsize=8, frameon=False, loc='best')
    rates_text = f'{point.false_match_rate:.2g}, true match rate {point.true_match_rate:.1%}'
    title = f'Threshold {up_to(point.similarity)}: false match rate {rates_text}'
    figure.suptitle(title, fontsize=11, fontweight='bold')
    return figure


def main() -> None:
    """Print the thresholds, and write the picture."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    option = parser.add_argument
    option('result', metavar='RESULT_DIR', help='folder of result.npz')
    text = 'share of the pairs of two people that may be accepted (default: 0.001)'
    option('--false-match-rate', type=float, metavar='RATE', default=0.001, help=text)
    option('--out', type=Path, help='picture to write (default: none)')
    option('--dpi', type=int, default=100, help='resolution of the picture')
    args = parser.parse_args()
    curve = count_similarities(args.result)
    print(table(curve, args.false_match_rate))
    if args.out:
        write_png(draw(curve, curve.threshold(args.false_match_rate)), args.out, args.dpi)
        print(f'Wrote {args.out}')


if __name__ == '__main__':
    main()

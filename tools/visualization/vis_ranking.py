"""Draw queries beside what was found for them, from a saved result.

RESULT_DIR is what ``tools/test.py --out`` or ``save_dir`` of ReIDMetric wrote. Items that do not
count for a query, those of its identity and its camera, are not drawn.
"""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path, PurePath

import numpy as np

from passreid.evaluation import SavedResult, load_result
from passreid.visualization import RankedItem, RankedQuery, draw_rank_list, write_png


def choose_queries(result: SavedResult, which: str, number: int, seed: int) -> np.ndarray:
    """Choose so many queries, or all there are, among those that have a match."""
    valid = np.flatnonzero(~np.isnan(result.average_precision))
    number = min(number, len(valid))
    if which == 'random':
        return np.sort(np.random.default_rng(seed).choice(valid, number, replace=False))
    best_first = valid[np.argsort(-result.average_precision[valid], kind='stable')]
    num_best = {'best': number, 'worst': 0, 'both': -(-number // 2)}[which]
    worst_first = best_first[::-1][: number - num_best]
    return np.concatenate([best_first[:num_best], worst_first])


def find_queries(result: SavedResult, names: list[str]) -> np.ndarray:
    """Find queries by the ends of their paths, such as file names, with or without extension."""
    paths = [PurePath(path) for path in result.query_paths]
    found: list[int] = []
    for name in names:
        fits = [path.match(name) or path.with_suffix('').match(name) for path in paths]
        if not any(fits):
            examples = ', '.join(path.name for path in paths[:3])
            raise ValueError(f'no query is called {name}; there are {examples} and others')
        found += np.flatnonzero(fits).tolist()
    return np.array(found)


def locate(path: str, data_root: Path | None) -> str:
    """Find an image that may have moved, by as much of the end of its path as is there."""
    parts = PurePath(path).parts
    if data_root is not None:
        for start in range(1 if PurePath(path).is_absolute() else 0, len(parts)):
            moved = data_root.joinpath(*parts[start:])
            if moved.is_file():
                return str(moved)
    return path


def main() -> None:
    """Write the picture."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    option = parser.add_argument
    option('result', metavar='RESULT_DIR', help='folder of result.npz')
    option('--out', type=Path, default=Path('ranking.png'), help='picture to write')
    text = 'which queries, by average precision (default: both the best and the worst)'
    option('--which', choices=('best', 'worst', 'random', 'both'), default='both', help=text)
    option('-n', '--num', type=int, default=8, help='number of queries')
    option('--query', nargs='+', metavar='NAME', help='draw these instead: ends of paths')
    option('--topk', type=int, default=10, help='gallery images of each query')
    option('--rerank', action='store_true', help='draw the re-ranked lists')
    option('--data-root', type=Path, help='where the images are now')
    option('--seed', type=int, default=0, help='chooses the random queries')
    option('--dpi', type=int, default=100, help='resolution of the picture')
    args = parser.parse_args()
    if args.data_root and not args.data_root.is_dir():
        parser.error(f'--data-root: there is no folder {args.data_root}')
    result = load_result(args.result, args.rerank)
    if args.topk > (saved := result.indices.shape[1]):
        raise ValueError(
            f'{args.result} holds the first {saved} images of each list: draw no more with --topk, '
            'or save more with save_topk of ReIDMetric'
        )
    if args.query:
        queries, title = find_queries(result, args.query), None
    else:
        queries = choose_queries(result, args.which, args.num, args.seed)
        names = dict(both='Best and worst', random='Some', best='Best', worst='Worst')
        mean = f'{np.nanmean(result.average_precision):.1%}'
        reranked = ', re-ranked' if args.rerank else ''
        title = f'{names[args.which]} of {len(result.query_pids)} queries, mAP {mean}{reranked}'
    rows = []
    for query in queries:
        items = []
        for place, item in enumerate(result.indices[query, : args.topk]):
            if item >= 0:
                path = locate(str(result.gallery_paths[item]), args.data_root)
                ids = int(result.gallery_pids[item]), int(result.gallery_cam_ids[item])
                items.append(RankedItem(path, *ids, float(result.distances[query, place])))
        path = locate(str(result.query_paths[query]), args.data_root)
        ids = int(result.query_pids[query]), int(result.query_cam_ids[query])
        rows.append(RankedQuery(path, *ids, float(result.average_precision[query]), items))
    write_png(draw_rank_list(rows, title), args.out, args.dpi)
    images = {image.img_path for row in rows for image in (row, *row.items)}
    if missing := sum(not Path(path).is_file() for path in images):
        print(f'{missing} images are missing; --data-root says where the data set is now')
    print(f'Wrote the lists of {len(rows)} queries to {args.out}')


if __name__ == '__main__':
    main()

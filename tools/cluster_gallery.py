"""Sort a folder of person images by whom they show: a model, clustering, contact sheets to check.

FOLDER is flat or nested. DIR gets clusters.csv (path below FOLDER, cluster; -1 for none) and a
contact sheet of each cluster, cluster_0000.png the largest, and of the outliers. CHECKPOINT is
what tools/test.py takes.
"""

import csv
import re
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from mmengine.config import Config

from passreid.apis import build_runner, load_config, prepare_test
from passreid.apis.inference_pipeline import inference_pipeline
from passreid.clustering import (
    cluster_statistics,
    find_clusters,
    standardize_by_camera,
)
from passreid.datasets.transforms import LoadPersonImage
from passreid.engine import extract_features
from passreid.evaluation.metrics.progress_log import ProgressLog
from passreid.utils.config import add_config_options, dataloader_configs, merge_options
from passreid.utils.device import array_device
from passreid.utils.messages import name_some
from passreid.visualization import draw_contact_sheet, write_png

LIST, OUTLIERS = 'clusters.csv', 'outliers.png'
PICTURES = re.compile(r'cluster_\d{4,}\.png|outliers\.png')
# A spreadsheet takes what begins with one of these for a formula.
FORMULA_SIGNS = tuple('=+-@\t\r')
LOADER_KEYS = ('batch_size', 'num_workers', 'pin_memory')


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    option = parser.add_argument
    option('config', help='config file of the model')
    option('checkpoint', help='its weights')
    option('folder', metavar='FOLDER', type=Path, help='the images')
    option('--out', metavar='DIR', type=Path, default=Path('clusters'), help='where results go')
    text = 'Jaccard distance up to which two images are near: larger, fewer and larger clusters'
    text += ' (default: that of 0.3 to 0.7 with the most clusters)'
    option('--eps', type=float, help=text)
    option('--min-samples', type=int, default=4, help='near images that make a cluster grow')
    text = 'size of a neighborhood (default: by the number of images, from 8 to 30)'
    option('--k1', type=int, help=text)
    option('--k2', type=int, default=6, help='neighbors to average over')
    text = 'how neighbors are found; faiss (pip install faiss-cpu): most of them, and fast'
    option('--search', choices=('exact', 'faiss'), default='exact', help=text)
    text = 'regular expression that finds the camera in a path below FOLDER, in its group camera, '
    text += r'such as _c(?P<camera>\d+); what a camera adds to its images is then taken off'
    option('--camera-pattern', metavar='REGEX', help=text)
    option('--max-tiles', type=int, default=60, help='most images of a contact sheet')
    option('--work-dir', help='folder of the log (default: work_dirs/NAME of the config)')
    add_config_options(parser, data_root=False)
    return parser.parse_args()


def read_from_folder(cfg: Config, folder: Path, camera_pattern: str | None) -> None:
    """Let the test of a config be one of the images of a folder, in place."""
    *_, template = dataloader_configs(cfg)
    cfg.test_dataloader = dict(
        {key: template[key] for key in LOADER_KEYS if key in template},
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='LUPerson',
            data_root=str(folder),
            camera_pattern=camera_pattern,
            pipeline=inference_pipeline(cfg),
            # More unreadable images are a mistake.
            max_bad_share=0.5,
        ),
    )
    # A Runner wants all three or none.
    cfg.test_evaluator, cfg.test_cfg = dict(type='ReIDMetric'), {}


def largest_first(labels: np.ndarray) -> np.ndarray:
    """Number clusters (N,), -1 for none, by their size; of equal ones the order stays."""
    sizes = np.bincount(labels[labels >= 0])
    # The last entry is that of the label -1.
    numbers = np.full(len(sizes) + 1, -1)
    numbers[np.argsort(-sizes, kind='stable')] = np.arange(len(sizes))
    return numbers[labels]


def typical_first(features: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
    """Sort the images of each cluster by how like the mean of the cluster they are."""
    ends = np.cumsum(np.bincount(labels + 1, minlength=1))
    clusters = np.split(np.argsort(labels, kind='stable'), ends[:-1])[1:]
    likeness = [features[members] @ features[members].mean(0) for members in clusters]
    orders = (np.argsort(-own, kind='stable') for own in likeness)
    return [members[order] for members, order in zip(clusters, orders, strict=True)]


def write_list(path: Path, names: Iterable[str], clusters: np.ndarray) -> None:
    """Write a line for each image, ``path,cluster``; names like formulas begin with ``./``."""
    # Names that are no UTF-8 are written byte for byte as they are.
    with path.open('w', encoding='utf-8', errors='surrogateescape', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(('path', 'cluster'))
        for name, cluster in zip(names, clusters.tolist(), strict=True):
            writer.writerow((f'./{name}' if name.startswith(FORMULA_SIGNS) else name, cluster))


def write_sheets(
    out: Path,
    names: Sequence[str],
    sheets: Sequence[np.ndarray],
    read: Callable[[int], np.ndarray],
    max_tiles: int,
) -> int:
    """Draw the images of each cluster and last the outliers; return the number of sheets."""
    digits = max(4, len(str(len(sheets) - 2)))
    pages = [(f'cluster_{n:0{digits}}.png', f'cluster {n}', s) for n, s in enumerate(sheets[:-1])]
    if len(sheets[-1]):
        pages.append((OUTLIERS, 'outliers', sheets[-1]))
    progress = ProgressLog('contact sheets')
    for number, (name, label, members) in enumerate(pages, start=1):
        count = len(members)
        places = np.linspace(0, count - 1, min(max_tiles, count)).round().astype(int)
        shown = members[places].tolist()
        title = f'{label}: {count} image{"s"[: count > 1]}'
        if len(shown) < count:
            title += f', {len(shown)} shown'
        figure = draw_contact_sheet(map(read, shown), title, [names[index] for index in shown])
        write_png(figure, out / name)
        progress(number, len(pages))
    return len(pages)


def main() -> None:
    """Write the clusters of a folder."""
    args = parse_args()
    if args.out.resolve().is_relative_to(args.folder.resolve()):
        raise ValueError(
            f'--out {args.out} lies in {args.folder}: the next run would take the contact sheets '
            'for images of people. Choose another folder'
        )
    if any(args.out.glob('[!.]*')) and not (args.out / LIST).is_file():
        raise FileExistsError(f'--out {args.out} holds no earlier result: choose another folder')
    numbers = args.eps, args.min_samples, args.k1, args.k2
    # What is wrong with the options shows before the work.
    find_clusters(np.eye(8, dtype=np.float32), *numbers, search=args.search)
    cfg = load_config(args.config)
    merge_options(cfg, args.cfg_options)
    read_from_folder(cfg, args.folder, args.camera_pattern)
    prepare_test(cfg, args.checkpoint)
    if args.work_dir:
        cfg.work_dir = args.work_dir
    runner = build_runner(cfg)
    loader = runner.test_loop.dataloader
    dataset = loader.dataset
    runner.logger.info(f'{len(dataset)} images in {dataset.data_root}')
    runner.load_or_resume()
    # As before a test: the report of what was loaded is made there.
    runner.call_hook('before_test')
    people = extract_features(runner.model, loader)
    features = people.features
    if args.camera_pattern:
        features = standardize_by_camera(features, people.cam_ids)
    options = dict(search=args.search, device=array_device(), progress=ProgressLog('neighbors'))
    clusters = find_clusters(features, *numbers, **options)
    found = largest_first(clusters.labels)
    labels = np.full(len(dataset), -1)
    labels[people.sample_ids] = found
    args.out.mkdir(parents=True, exist_ok=True)
    # The old pictures first: what is there after an interruption fits the list.
    for path in filter(lambda path: PICTURES.fullmatch(path.name), args.out.iterdir()):
        path.unlink()
    write_list(args.out / LIST, dataset.data_list, labels)
    members = [*typical_first(features, found), np.flatnonzero(found < 0)]
    sheets = [people.sample_ids[rows] for rows in members]
    load = LoadPersonImage()
    read = lambda index: load(dataset.get_data_info(index))['img'][..., ::-1]  # noqa: E731
    number = write_sheets(args.out, dataset.data_list, sheets, read, args.max_tiles)
    facts = cluster_statistics(found)
    if facts.num_clusters == 0:
        runner.logger.warning(
            f'Every image is an outlier: none has {args.min_samples} images, itself counted, '
            f'within --eps {clusters.eps:g}. Raise --eps, or lower --min-samples'
        )
    elif facts.num_clusters == 1:
        runner.logger.warning(
            f'All images that have a cluster are in one: with --eps {clusters.eps:g} they hang '
            'together. Lower --eps, or lower --k1 when each person has few images'
        )
    outliers = f'{facts.num_outliers} outliers ({facts.num_outliers / len(found):.1%})'
    print(f'eps {clusters.eps:g}, k1 {clusters.k1}')
    print(f'{len(found)} images: {facts.num_clusters} clusters, {outliers}')
    if facts.num_clusters:
        sizes = f'{facts.smallest} to {facts.largest}, median {facts.median:g}'
        print(f'Images of a cluster: {sizes}')
    if torn := np.setdiff1d(np.arange(len(dataset)), people.sample_ids).tolist():
        names = name_some([dataset.data_list[index] for index in torn])
        print(f'Not read, -1 in the list; the log says why: {names}')
    print(f'Wrote clusters.csv and {number} contact sheets to {args.out}')


if __name__ == '__main__':
    main()

"""Sort a folder of person images by whom they show: a model, clustering, contact sheets to check.

FOLDER is flat or nested. DIR gets clusters.csv (path below FOLDER, cluster; -1 for none) and a
contact sheet of each cluster, cluster_0000.png the largest, and of the outliers. CHECKPOINT is
what tools/test.py takes.

Example:
    python tools/cluster_gallery.py CONFIG CHECKPOINT my_crops --out my_people
"""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from cluster_gallery_files import check_output, write_gallery
from mmengine.config import Config
from mmengine.runner import Runner

from passreid.apis import build_runner, load_config, prepare_test
from passreid.apis.inference_pipeline import inference_pipeline
from passreid.clustering import ClusterStatistics, cluster_pseudo_labels, cluster_statistics
from passreid.datasets import LUPerson
from passreid.datasets.transforms import LoadPersonImage
from passreid.engine import extract_features
from passreid.evaluation.metrics.person_features import PersonFeatures
from passreid.evaluation.metrics.progress_log import ProgressLog
from passreid.utils.config_options import ConfigOptions, merge_options
from passreid.utils.device import array_device
from passreid.utils.messages import printable

# More unreadable images than this share of a folder are a mistake.
_MAX_BAD_SHARE = 0.5
_NAMES_SHOWN = 5
_LOADER_KEYS = ('batch_size', 'num_workers', 'pin_memory')


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file of the model')
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument('folder', metavar='FOLDER', type=Path, help='the images')
    option = parser.add_argument
    option('--out', metavar='DIR', type=Path, default=Path('clusters'), help='where results go')
    text = 'Jaccard distance up to which two images are near: larger, fewer and larger clusters'
    option('--eps', type=float, default=0.6, help=text)
    option('--min-samples', type=int, default=4, help='near images that make a cluster grow')
    option('--k1', type=int, default=30, help='size of a neighborhood')
    option('--k2', type=int, default=6, help='neighbors to average over')
    text = 'how neighbors are found; faiss (pip install faiss-cpu): most of them, and fast'
    option('--search', choices=('exact', 'faiss'), default='exact', help=text)
    option('--max-tiles', type=int, default=60, help='most images of a contact sheet')
    option('--work-dir', help='folder of the log (default: work_dirs/NAME of the config)')
    option(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        default={},
        metavar='KEY=VALUE',
        help='override entries of the config',
    )
    args = parser.parse_args()
    if not 0 < args.eps < 1:
        parser.error('--eps must lie between 0 and 1')
    for name in ('min_samples', 'k1', 'k2', 'max_tiles'):
        if getattr(args, name) < 1:
            parser.error(f'--{name.replace("_", "-")} must be at least 1')
    return args


def read_from_folder(cfg: Config, folder: Path) -> None:
    """Let the test of a config be one of the images of a folder, in place."""
    loaders = [cfg.get(f'{name}_dataloader') for name in ('test', 'val', 'train')]
    test, val, train = (entry[0] if isinstance(entry, list) else entry for entry in loaders)
    template = test or val or train
    cfg.test_dataloader = dict(
        {key: template[key] for key in _LOADER_KEYS if key in template},
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='LUPerson',
            data_root=str(folder),
            pipeline=inference_pipeline(cfg),
            max_bad_share=_MAX_BAD_SHARE,
        ),
    )
    # A Runner wants all three or none.
    cfg.test_evaluator, cfg.test_cfg = dict(type='ReIDMetric'), {}


def extract(runner: Runner) -> tuple[LUPerson, PersonFeatures]:
    """Load the weights and extract the features of all images that can be read."""
    loader = runner.test_loop.dataloader
    runner.logger.info(f'{len(loader.dataset)} images in {loader.dataset.data_root}')
    runner.load_or_resume()
    # As before a test: the report of what was loaded is made there.
    runner.call_hook('before_test')
    people = extract_features(runner.model, loader)
    assert people is not None
    return loader.dataset, people


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


def advise(num_clusters: int, args: Namespace) -> str | None:
    """Return what to do about an outcome that sorts nothing."""
    if num_clusters == 0:
        return (
            f'Every image is an outlier: none has {args.min_samples} images, itself counted, '
            f'within --eps {args.eps}. Raise --eps, or lower --min-samples'
        )
    if num_clusters == 1:
        return (
            f'All images that have a cluster are in one: with --eps {args.eps} they hang '
            'together. Lower --eps, or lower --k1 when each person has few images'
        )
    return None


def summarise(figures: ClusterStatistics, num_images: int, unreadable: Sequence[str]) -> str:
    """Return what was found in some images, and which were not read, in two or three lines."""
    text = (
        f'{num_images} images: {figures.num_clusters} clusters, {figures.num_outliers} outliers '
        f'({figures.num_outliers / num_images:.1%})'
    )
    if figures.num_clusters:
        sizes = f'{figures.smallest} to {figures.largest}, median {figures.median:g}'
        text += f'\nImages of a cluster: {sizes}'
    if unreadable:
        more = len(unreadable) - _NAMES_SHOWN
        names = ', '.join(map(printable, unreadable[:_NAMES_SHOWN]))
        names += f' and {more} others' if more > 0 else ''
        text += f'\nNot read, -1 in the list; the log says why: {names}'
    return text


def main() -> None:
    """Write the clusters of a folder."""
    args = parse_args()
    check_output(args.out, args.folder)
    if args.search == 'faiss' and find_spec('faiss') is None:
        raise ImportError('--search faiss needs an optional package: pip install faiss-cpu')
    cfg = load_config(args.config)
    merge_options(cfg, args.cfg_options)
    read_from_folder(cfg, args.folder)
    prepare_test(cfg, args.checkpoint)
    if args.work_dir:
        cfg.work_dir = args.work_dir
    runner = build_runner(cfg)
    dataset, people = extract(runner)
    options = dict(search=args.search, device=array_device(), progress=ProgressLog('neighbors'))
    numbers = args.eps, args.min_samples, args.k1, args.k2
    found = largest_first(cluster_pseudo_labels(people.features, *numbers, **options))
    labels = np.full(len(dataset), -1)
    labels[people.sample_ids] = found
    load = LoadPersonImage()
    sheets = [*typical_first(people.features, found), np.flatnonzero(found < 0)]
    num_sheets = write_gallery(
        args.out,
        dataset.data_list,
        labels,
        [people.sample_ids[members] for members in sheets],
        lambda index: load(dataset.get_data_info(index))['img'][..., ::-1],
        args.max_tiles,
        ProgressLog('contact sheets'),
    )
    figures = cluster_statistics(found)
    if advice := advise(figures.num_clusters, args):
        runner.logger.warning(advice)
    torn = np.setdiff1d(np.arange(len(dataset)), people.sample_ids)
    print(summarise(figures, len(found), [dataset.data_list[index] for index in torn]))
    print(f'Wrote clusters.csv and {num_sheets} contact sheets to {args.out}')


if __name__ == '__main__':
    main()

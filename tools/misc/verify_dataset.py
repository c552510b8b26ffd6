"""Read every image that a config names, and say what is wrong with them.

Looked for are images that cannot be read, equal files (of one person, of several persons, in
training and test) and persons whose queries have no match in the gallery that counts. The exit
status is 1 when something is wrong; equal files of one person alone are only listed.

Example:
    python tools/misc/verify_dataset.py configs/supervised/vit-s16_market1501-256x128.py
"""

import argparse
import json
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

from dataset_findings import Findings, Image, find_problems, read_all, shared
from mmengine.config import Config, ConfigDict
from rich.progress import track

from passreid.apis import load_config
from passreid.datasets.transforms import LoadPersonImage
from passreid.registry import DATASETS, TRANSFORMS, type_of
from passreid.utils import register_all_modules
from passreid.utils.config_options import add_config_options, apply_config_options
from passreid.utils.device import num_usable_cpus
from passreid.utils.printable import printable
from passreid.visualization import Table

_SHOWN = 10
_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
_HEADER = ('data set', 'images', 'ids', 'cameras', 'queries', 'unreadable', 'same id', 'across ids')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file of a run, or of a data set alone')
    parser.add_argument('--out', metavar='JSON', type=Path, help='file for all that was found')
    parser.add_argument(
        '--num-workers', type=int, default=num_usable_cpus(), help='processes that read images'
    )
    add_config_options(parser)
    args = parser.parse_args()
    if args.num_workers < 0:
        parser.error('--num-workers must not be negative')
    return args


def dataset_configs(cfg: Config) -> dict[str, ConfigDict]:
    """Return the config of each data set, joint ones taken apart, each once.

    Args:
        cfg (Config): The config of a run.

    Returns:
        dict[str, ConfigDict]: By where they stand, such as 'val, test'.

    Raises:
        ValueError: When there is none.
    """
    places: list[tuple[ConfigDict, list[str]]] = []
    for name in _LOADERS:
        loaders = cfg.get(name) or []
        for loader in loaders if isinstance(loaders, list | tuple) else [loaders]:
            for dataset in _parts(loader.dataset):
                known = next((where for other, where in places if _same(other, dataset)), None)
                if known is None:
                    places.append((dataset, known := []))
                known.append(name.removesuffix('_dataloader'))
    if not places:
        raise ValueError(f'{cfg.filename} names no data set: it has none of {_LOADERS}')
    named: dict[str, ConfigDict] = {}
    for dataset, where in places:
        name = ', '.join(dict.fromkeys(where))
        number = sum(known.startswith(name) for known in named)
        named[f'{name} {number + 1}' if number else name] = dataset
    return named


def _parts(dataset: ConfigDict) -> Iterator[ConfigDict]:
    inner = dataset.get('datasets') or ([dataset.dataset] if 'dataset' in dataset else [])
    if not inner:
        yield dataset
    for part in inner:
        yield from _parts(part)


def _same(first: ConfigDict, second: ConfigDict) -> bool:
    first, second = (dict(entry, pipeline=None) for entry in (first, second))
    return first == second


def read_images(dataset: ConfigDict, name: str, num_workers: int) -> tuple[str, list[Image]]:
    """Read all images of a data set, with a progress bar.

    Args:
        dataset (ConfigDict): Its config.
        name (str): What the progress bar calls it.
        num_workers (int): Processes that read.

    Returns:
        tuple[str, list[Image]]: Type and folder of the data set, and its images.
    """
    steps = dataset.get('pipeline') or []
    loading = [step for step in steps if type_of(step, TRANSFORMS) is LoadPersonImage]
    load = LoadPersonImage(**{k: v for k, v in (loading or [{}])[0].items() if k != 'type'})
    built = DATASETS.build(dict(dataset, pipeline=[]))
    batches = track(read_all(built, load, num_workers), name, transient=True)
    images = [image for batch in batches for image in batch]
    return f'{type(built).__name__} in {built.data_root}', images


def report(found: list[Findings], common: dict[str, list[list[str]]]) -> str:
    """Return what was found as text.

    Args:
        found (list[Findings]): Of each data set.
        common (dict[str, list[list[str]]]): Equal files, by the data sets that share them.
    """
    rows = []
    for f in found:
        counts = (f.images, f.ids, f.cameras, f.queries)
        groups = (f.unreadable, f.same_id, f.across_ids)
        rows.append([f.name, *map(str, counts), *(str(len(group)) for group in groups)])
    lines = [Table(_HEADER, rows).to_text()]
    for f in found:
        unreadable = [f'{path}: {problem}' for path, problem in f.unreadable.items()]
        lines += _listed(f'{f.name}: cannot be read', unreadable)
        lines += _listed(f'{f.name}: one picture under several ids', map(' = '.join, f.across_ids))
        lines += _listed(f'{f.name}: one picture twice under one id', map(' = '.join, f.same_id))
        persons = [f'{pid} ({number} queries)' for pid, number in f.without_match.items()]
        lines += _listed(f'{f.name}: ids whose queries have no match that counts', persons)
    for names, pairs in common.items():
        lines += _listed(f'{names}: one picture in both', map(' = '.join, pairs))
    return '\n'.join(lines)


def _listed(heading: str, items: Any) -> list[str]:
    items = list(items)
    if not items:
        return []
    more = [f'    and {len(items) - _SHOWN} more'] if len(items) > _SHOWN else []
    return [f'{heading}: {len(items)}', *(f'    {printable(i)}' for i in items[:_SHOWN]), *more]


def main() -> None:
    """Verify."""
    args = parse_args()
    cfg = load_config(args.config)
    apply_config_options(cfg, args)
    register_all_modules()
    read = {
        name: read_images(dataset, name, args.num_workers)
        for name, dataset in dataset_configs(cfg).items()
    }
    found = [find_problems(name, source, images) for name, (source, images) in read.items()]
    common = {
        f'{one} and {other}': pairs
        for one, other in combinations(read, 2)
        if (pairs := shared(read[one][1], read[other][1]))
    }
    print(report(found, common))
    wrong = bool(common) or any(one.wrong for one in found)
    if args.out:
        content = dict(wrong=wrong, datasets=[one.to_dict() for one in found], in_both=common)
        args.out.write_text(json.dumps(content, indent=1) + '\n')
    print('Something is wrong.' if wrong else 'Nothing is wrong.')
    sys.exit(int(wrong))


if __name__ == '__main__':
    main()

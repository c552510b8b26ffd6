"""Read every image that a config names, and say what is wrong with them.

Looked for are images that cannot be read, equal files and persons whose queries have no match that
counts. The exit status is 1 when something is wrong; equal files of one person are only listed.

Example:
    python tools/misc/verify_dataset.py configs/supervised/vit-s16_market1501-256x128.py
"""

import hashlib
import json
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config, ConfigDict
from mmengine.dataset import BaseDataset
from rich.progress import track
from torch.utils.data import DataLoader, Dataset

from passreid.apis import load_config
from passreid.datasets.storage.decoding import BadImageError
from passreid.datasets.transforms import LoadPersonImage
from passreid.registry import DATASETS, TRANSFORMS, type_of
from passreid.utils import register_all_modules
from passreid.utils.config import add_config_options, apply_config_options
from passreid.utils.device import num_usable_cpus
from passreid.utils.messages import printable
from passreid.visualization import Table

_BATCH = 64
_SHOWN = 10
_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
_HEADER = ('data set', 'images', 'ids', 'cameras', 'queries', 'unreadable', 'same id', 'across ids')


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    option = parser.add_argument
    option('config', help='config file of a run, or of a data set alone')
    option('--out', metavar='JSON', type=Path, help='file for all that was found')
    workers = dict(type=int, default=num_usable_cpus(), help='processes that read images')
    option('--num-workers', **workers)
    add_config_options(parser)
    return parser.parse_args()


def dataset_configs(cfg: Config) -> dict[str, ConfigDict]:
    """Return the configs of data sets, joint ones taken apart, by where they are: 'val, test'."""
    places: dict[str, list[str]] = {}
    datasets: dict[str, ConfigDict] = {}
    for name in _LOADERS:
        loaders = cfg.get(name) or []
        waiting = [one.dataset for one in (loaders if isinstance(loaders, list) else [loaders])]
        while waiting:
            dataset = waiting.pop(0)
            if inner := dataset.get('datasets') or dataset.get('dataset'):
                waiting[:0] = inner if isinstance(inner, list) else [inner]
                continue
            # The same images, however they are changed afterwards, are read once.
            key = repr(dict(sorted(dataset.items()), pipeline=None))
            datasets[key] = dataset
            places.setdefault(key, []).append(name.removesuffix('_dataloader'))
    if not places:
        raise ValueError(f'{cfg.filename} names no data set: it has none of {_LOADERS}')
    named: dict[str, ConfigDict] = {}
    for key, where in places.items():
        name = ', '.join(dict.fromkeys(where))
        number = sum(known.startswith(name) for known in named)
        named[f'{name} {number + 1}' if number else name] = datasets[key]
    return named


class Image(NamedTuple):
    """An image that was looked at: ``digest`` stands for its bytes, '' when it cannot be read."""

    path: str
    pid: int
    cam_id: int
    is_query: bool
    digest: str = ''
    problem: str = ''


class ImageCheck(Dataset):
    """Reads the images of a data set, whose pipeline is not run, and says what is wrong."""

    def __init__(self, dataset: BaseDataset, load: LoadPersonImage) -> None:
        self.dataset, self.load = dataset, load

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple:
        """Read an image; return the fields of an :class:`Image`."""
        path = self.dataset.image_name(index)
        facts = path, -1, -1, False
        try:
            info = self.dataset.get_data_info(index)
            facts = path, int(info['gt_label']), int(info['cam_id']), bool(info['is_query'])
            data = info['img_bytes'] if 'img_bytes' in info else self.load.read_file(path)
            self.load(dict(info, img_bytes=data))
        except BadImageError as error:
            return *facts, '', error.reason
        except (OSError, ValueError) as error:
            return *facts, '', getattr(error, 'strerror', None) or str(error)
        return *facts, hashlib.blake2b(data, digest_size=16).hexdigest()


def read_images(dataset: ConfigDict, name: str, num_workers: int) -> tuple[str, list[Image]]:
    """Return type and folder of a data set, and all its images, read with a progress bar."""
    steps = dataset.get('pipeline') or []
    loading = [step for step in steps if type_of(step, TRANSFORMS) is LoadPersonImage]
    load = LoadPersonImage(**{k: v for k, v in (loading or [{}])[0].items() if k != 'type'})
    built = DATASETS.build(dict(dataset, pipeline=[]))
    check = ImageCheck(built, load)
    batches = DataLoader(check, _BATCH, num_workers=num_workers, collate_fn=list)
    images = [Image(*i) for batch in track(batches, name, transient=True) for i in batch]
    return f'{type(built).__name__} in {built.data_root}', images


def find_problems(name: str, source: str, images: Sequence[Image]) -> dict[str, Any]:
    """Return what is known about the images of a data set, fit for JSON."""
    files: dict[str, list[Image]] = defaultdict(list)
    for image in images:
        if image.digest:
            files[image.digest].append(image)
    groups = [group for group in files.values() if len(group) > 1]
    equal = [[image.path for image in group] for group in groups]
    several = [len({image.pid for image in group}) > 1 for group in groups]
    return dict(
        name=name,
        source=source,
        images=len(images),
        ids=len({image.pid for image in images} - {-1}),
        cameras=len({image.cam_id for image in images} - {-1}),
        queries=sum(image.is_query for image in images),
        unreadable={image.path: image.problem for image in images if image.problem},
        same_id=[paths for paths, many in zip(equal, several, strict=True) if not many],
        across_ids=[paths for paths, many in zip(equal, several, strict=True) if many],
        without_match=_without_match(images),
    )


def _without_match(images: Sequence[Image]) -> dict[int, int]:
    """Count the queries of each person for whom no gallery image of another camera counts."""
    gallery = [image for image in images if not image.is_query]
    of_person = Counter(image.pid for image in gallery)
    # Where the camera of a query is unknown, its own file does not count.
    excluded = Counter((i.pid, place) for i in gallery for place in (i.cam_id, i.path))
    unmatched = Counter(
        query.pid
        for query in images
        if query.is_query
        and of_person[query.pid]
        <= excluded[query.pid, query.path if query.cam_id == -1 else query.cam_id]
    )
    return dict(sorted(unmatched.items()))


def report(found: Sequence[dict[str, Any]], common: dict[str, list[list[str]]]) -> str:
    """Return what was found as text, with equal files by the data sets that share them."""
    rows, lists = [], {}
    for f in found:
        counts = [f[key] for key in ('images', 'ids', 'cameras', 'queries')]
        counts += [len(f[key]) for key in ('unreadable', 'same_id', 'across_ids')]
        rows.append([f['name'], *map(str, counts)])
        lists |= {
            f'{f["name"]}: cannot be read': [': '.join(pair) for pair in f['unreadable'].items()],
            f'{f["name"]}: one picture under several ids': map(' = '.join, f['across_ids']),
            f'{f["name"]}: one picture twice under one id': map(' = '.join, f['same_id']),
            f'{f["name"]}: ids whose queries have no match that counts': [
                f'{pid} ({number} queries)' for pid, number in f['without_match'].items()
            ],
        }
    for names, pairs in common.items():
        lists[f'{names}: one picture in both'] = map(' = '.join, pairs)
    lines = [Table(_HEADER, rows).to_text()]
    for heading, items in lists.items():
        if items := list(items):
            lines += [f'{heading}: {len(items)}', *(f'    {printable(i)}' for i in items[:_SHOWN])]
        if len(items) > _SHOWN:
            lines.append(f'    and {len(items) - _SHOWN} more')
    return '\n'.join(lines)


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
    files = {name: {i.digest: i.path for i in images} for name, (_, images) in read.items()}
    common = {}
    for one, other in combinations(files, 2):
        both = [digest for digest in files[one] if digest and digest in files[other]]
        if both:
            common[f'{one} and {other}'] = [[files[one][d], files[other][d]] for d in both]
    print(report(found, common))
    # Equal files of one person do no harm.
    wrong = bool(common) or any(
        one[key] for one in found for key in ('unreadable', 'across_ids', 'without_match')
    )
    if args.out:
        content = dict(wrong=wrong, datasets=found, in_both=common)
        args.out.write_text(json.dumps(content, indent=1) + '\n')
    print('Something is wrong.' if wrong else 'Nothing is wrong.')
    sys.exit(int(wrong))


if __name__ == '__main__':
    main()

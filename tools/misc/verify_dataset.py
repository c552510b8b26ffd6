"""Read every image that a config names, and say what is wrong with them.

Looked for are images that cannot be read, equal files and persons whose queries have no match that
counts. The exit status is 1 when something is wrong; equal files of one person are only listed.
"""

import hashlib
import json
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import joblib
from mmengine.config import Config, ConfigDict
from mmengine.dataset import BaseDataset
from rich.progress import track
from torch.utils.data import DataLoader, Dataset

from passreid.apis import load_config
from passreid.datasets.storage.decoding import BadImageError
from passreid.datasets.transforms import LoadPersonImage
from passreid.registry import DATASETS, TRANSFORMS, find_entries
from passreid.utils import register_all_modules
from passreid.utils.config import add_config_options, apply_config_options
from passreid.utils.messages import printable
from passreid.visualization import Table

_BATCH = 64
_SHOWN = 10
_PROBLEMS = {
    'unreadable': 'cannot be read',
    'across_ids': 'one picture under several ids',
    'same_id': 'one picture twice under one id',
    'without_match': 'queries of an id without a match that counts',
}
_HEADER = ('data set', 'images', 'ids', 'cameras', 'queries', 'unreadable', 'same id', 'across ids')


def dataset_configs(cfg: Config) -> dict[str, ConfigDict]:
    """Return the configs of data sets, joint ones taken apart, by where they are: 'val, test'."""
    places: dict[str, list[str]] = {}
    datasets: dict[str, ConfigDict] = {}
    for name in ('train', 'val', 'test'):
        for dataset in find_entries(cfg.get(f'{name}_dataloader'), BaseDataset, DATASETS):
            if 'datasets' not in dataset:
                # The same images, however they are changed afterwards, are read once.
                key = repr(dict(sorted(dataset.items()), pipeline=None))
                datasets[key] = dataset
                places.setdefault(key, []).append(name)
    if not places:
        raise ValueError(f'{cfg.filename} names no data set in a dataloader')
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

    def __getitem__(self, index: int) -> Image:
        """Read an image."""
        path = self.dataset.image_name(index)
        image = Image(path, -1, -1, False)
        try:
            info = self.dataset.get_data_info(index)
            image = Image(path, *(int(info[key]) for key in ('gt_label', 'cam_id', 'is_query')))
            data = info['img_bytes'] if 'img_bytes' in info else self.load.read_file(path)
            self.load(dict(info, img_bytes=data))
        except (BadImageError, OSError, ValueError) as error:
            reasons = (getattr(error, name, None) for name in ('reason', 'strerror'))
            return image._replace(problem=next(filter(None, reasons), str(error)))
        return image._replace(digest=hashlib.blake2b(data, digest_size=16).hexdigest())


def find_problems(name: str, source: str, images: Sequence[Image]) -> dict[str, Any]:
    """Return what is known about the images of a data set, fit for JSON."""
    files: dict[str, list[Image]] = defaultdict(list)
    for image in images:
        files[image.digest].append(image)
    unreadable = {image.path: image.problem for image in files.pop('', ())}
    equal: dict[bool, list[list[str]]] = {False: [], True: []}
    for group in files.values():
        if len(group) > 1:
            equal[len({image.pid for image in group}) > 1].append([i.path for i in group])
    return dict(
        name=name,
        source=source,
        images=len(images),
        ids=len({image.pid for image in images} - {-1}),
        cameras=len({image.cam_id for image in images} - {-1}),
        queries=sum(image.is_query for image in images),
        unreadable=unreadable,
        same_id=equal[False],
        across_ids=equal[True],
        without_match=_without_match(images),
    )


def _without_match(images: Sequence[Image]) -> dict[int, int]:
    """Count the queries of each person for whom no gallery image of another camera counts."""
    # Where the camera of a query is unknown, its own file does not count.
    of_person = Counter(image.pid for image in images if not image.is_query)
    excluded = Counter((i.pid, x) for i in images if not i.is_query for x in (i.cam_id, i.path))
    unmatched = Counter()
    for query in filter(lambda image: image.is_query, images):
        left_out = query.path if query.cam_id == -1 else query.cam_id
        unmatched[query.pid] += of_person[query.pid] == excluded[query.pid, left_out]
    return {pid: number for pid, number in sorted(unmatched.items()) if number}


def report(found: Sequence[dict[str, Any]], common: dict[str, list[list[str]]]) -> str:
    """Return what was found as text, with equal files by the data sets that share them."""
    rows, lists = [], {}
    for f in found:
        counts = [f[key] for key in ('images', 'ids', 'cameras', 'queries')]
        counts += [len(f[key]) for key in ('unreadable', 'same_id', 'across_ids')]
        rows.append([f['name'], *map(str, counts)])
        for key, what in _PROBLEMS.items():
            entries = f[key].items() if isinstance(f[key], dict) else f[key]
            lists[f'{f["name"]}: {what}'] = [' = '.join(map(str, entry)) for entry in entries]
    for names, pairs in common.items():
        lists[f'{names}: one picture in both'] = [*map(' = '.join, pairs)]
    lines = [Table(_HEADER, rows).to_text()]
    for heading, items in lists.items():
        if items:
            lines += [f'{heading}: {len(items)}', *(f'    {printable(i)}' for i in items[:_SHOWN])]
        if len(items) > _SHOWN:
            lines.append(f'    and {len(items) - _SHOWN} more')
    return '\n'.join(lines)


def main() -> None:
    """Verify."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    option = parser.add_argument
    option('config', help='config file of a run, or of a data set alone')
    option('--out', metavar='JSON', type=Path, help='file for all that was found')
    workers = dict(type=int, default=joblib.cpu_count(), help='processes that read images')
    option('--num-workers', **workers)
    add_config_options(parser)
    args = parser.parse_args()
    cfg = load_config(args.config)
    apply_config_options(cfg, args)
    register_all_modules()
    found, files, common = [], {}, {}
    for name, dataset in dataset_configs(cfg).items():
        loading = [*find_entries(dataset.get('pipeline'), LoadPersonImage, TRANSFORMS), {}][0]
        load = LoadPersonImage(**{key: value for key, value in loading.items() if key != 'type'})
        built = DATASETS.build(dict(dataset, pipeline=[]))
        check = ImageCheck(built, load)
        batches = DataLoader(check, _BATCH, num_workers=args.num_workers, collate_fn=list)
        images = [image for batch in track(batches, name, transient=True) for image in batch]
        source = f'{type(built).__name__} in {built.data_root}'
        found.append(find_problems(name, source, images))
        files[name] = {image.digest: image.path for image in images if image.digest}
    for one, other in combinations(files, 2):
        if both := files[one].keys() & files[other].keys():
            pairs = sorted([files[one][digest], files[other][digest]] for digest in both)
            common[f'{one} and {other}'] = pairs
    print(report(found, common))
    # Equal files of one person do no harm.
    keys = ('unreadable', 'across_ids', 'without_match')
    wrong = bool(common) or any(one[key] for one in found for key in keys)
    if args.out:
        content = dict(wrong=wrong, datasets=found, in_both=common)
        args.out.write_text(json.dumps(content, indent=1) + '\n')
    print('Something is wrong.' if wrong else 'Nothing is wrong.')
    sys.exit(int(wrong))


if __name__ == '__main__':
    main()

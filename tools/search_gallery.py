r"""Search a gallery of person images: index a folder, look for people, delete images.

WHERE is the gallery: a folder for its features, a local Milvus database 'FILE.db', or the address
of a Milvus server, 'http://HOST:PORT' (token in the environment variable MILVUS_TOKEN). CONFIG and
CHECKPOINT are what tools/test.py takes; a gallery belongs to one model. Images are kept by their
absolute paths.

Example:
    python tools/search_gallery.py index CONFIG CHECKPOINT my_crops --store my_gallery \
        --pattern '(?P<person>\d+)_c(?P<camera>\d+)'
    python tools/search_gallery.py query CONFIG CHECKPOINT crop.jpg --store my_gallery \
        --not-camera 3 --out results.html
    python tools/search_gallery.py delete --store my_gallery my_crops/0042_c3_000017.jpg
    python tools/search_gallery.py info --store my_gallery
"""

import argparse
import json
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

from mmengine.config import DictAction
from search_gallery_records import parse_time, records_of_list, records_of_names

from passreid import ReIDInferencer
from passreid.apis.gallery_index import record_path
from passreid.apis.inference_pipeline import list_inputs
from passreid.search import FieldValue, Gallery, GalleryRecord, SearchFilter, open_store
from passreid.utils.atomic_file import write_text_atomically
from passreid.utils.messages import printable
from passreid.visualization import QueryResult, Table, match_page, similarity_text, time_text

_NAMES_SHOWN = 5


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    store = argparse.ArgumentParser(add_help=False)
    store.add_argument('--store', metavar='WHERE', required=True, help='the gallery')
    store.add_argument(
        '--store-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='arguments of the store, such as collection=NAME for Milvus',
    )
    model = argparse.ArgumentParser(add_help=False)
    model.add_argument('config', help='config file of the model, or its name in the model zoo')
    model.add_argument('checkpoint', help='its weights')
    model.add_argument('--flip', action='store_true', help='average in the mirror image')
    model.add_argument('--batch-size', type=int, default=32, help='images at a time')
    model.add_argument('--num-workers', type=int, default=0, help='processes that load images')
    model.add_argument('--device', help='where the model runs (default: the accelerator, if any)')

    index = commands.add_parser(
        'index',
        parents=[model, store],
        help='add the images of a folder, renew those that have changed, take out those that are '
        'gone',
    )
    index.set_defaults(run=run_index)
    index.add_argument('folder', metavar='FOLDER', type=Path, help='the images')
    known = index.add_mutually_exclusive_group()
    known.add_argument(
        '--pattern',
        metavar='REGEX',
        help='named groups find camera, time and others, which become fields, in the name of each '
        "file or, with a '/', in its path below FOLDER",
    )
    known.add_argument(
        '--records', metavar='CSV', type=Path, help='list with columns path, cam_id, time, others'
    )
    index.add_argument(
        '--ignore-unmatched',
        action='store_true',
        help='add images that do not match or are not listed too, with nothing known about them',
    )

    query = commands.add_parser('query', parents=[model, store], help='look for people')
    query.set_defaults(run=run_query)
    query.add_argument('queries', metavar='QUERY', nargs='+', help='images, or folders of them')
    query.add_argument('--topk', type=int, default=10, help='most images to find for each')
    query.add_argument('--threshold', type=float, metavar='COSINE', help='least similarity')
    query.add_argument(
        '--camera', type=int, nargs='+', metavar='ID', help='search these cameras alone'
    )
    query.add_argument(
        '--not-camera', type=int, nargs='+', default=(), metavar='ID', help='leave these out'
    )
    times = dict(type=_time, metavar='TIME')
    query.add_argument(
        '--since', help='earliest time, in seconds or as 2024-05-01T17:30:00', **times
    )
    query.add_argument('--until', help='latest time', **times)
    query.add_argument(
        '--field',
        type=_field,
        nargs='+',
        default=(),
        metavar='NAME=TEXT',
        help='fields and the text they must equal; NAME:=VALUE for a number, true or false',
    )
    query.add_argument('--out', metavar='HTML', type=Path, help='page of the results')
    query.add_argument('--json', metavar='JSON', type=Path, help='file of the results')

    delete = commands.add_parser('delete', parents=[store], help='take images out')
    delete.set_defaults(run=run_delete)
    delete.add_argument('paths', metavar='PATH', nargs='+', help='which; the files stay')
    info = commands.add_parser('info', parents=[store], help='tell what is in a gallery')
    info.set_defaults(run=run_info)
    return parser.parse_args()


def run_index(args: argparse.Namespace) -> None:
    """Bring a gallery up to date."""
    find, unknown = GalleryRecord, set()
    if args.pattern:
        find = records_of_names(args.folder, args.pattern)
    elif args.records:
        find = records_of_list(args.folder, args.records)

    def record(path: str) -> GalleryRecord:
        if found := find(path):
            return found
        if not args.ignore_unmatched:
            raise ValueError(
                f'{path} does not match {args.pattern or args.records}. Change that, or let '
                'nothing be known about such images with --ignore-unmatched'
            )
        unknown.add(path)
        return GalleryRecord(path)

    inferencer = build_inferencer(args)
    origin = inferencer.dim, inferencer.fingerprint
    with open_store(args.store, *origin, **args.store_options) as store:
        summary = inferencer.index(args.folder, store, record)
        print(f'{args.folder}: {summary}; {len(store)} images in {store.where}')
    if unknown:
        print(f'Nothing known about {_some(sorted(unknown))}')
    if summary.failed:
        print(f'Unreadable: {_some([f"{path} ({why})" for path, why in summary.failed.items()])}')


def run_query(args: argparse.Namespace) -> None:
    """Search a gallery."""
    where = SearchFilter(
        args.camera, args.not_camera, args.since, args.until, fields=dict(args.field)
    )
    queries = list_inputs(args.queries)
    with open_store(args.store, **args.store_options) as store:
        found = build_inferencer(args, store)(queries, args.topk, where, args.threshold)
        size = len(store)
    results = [QueryResult(*pair) for pair in zip(queries, found, strict=True)]
    for result in results:
        print(result_text(result))
    if args.json:
        entries = [dict(query=r.path, matches=[m.to_dict() for m in r.matches]) for r in results]
        _write(args.json, json.dumps(entries, indent=1))
    if args.out:
        _write(args.out, match_page(results, [f'{size} images in {store.where}.', _asked(args)]))


def run_delete(args: argparse.Namespace) -> None:
    """Take images out of a gallery."""
    with open_store(args.store, **args.store_options) as store:
        known = store.stamps()
        # Programs may keep images under other names than files.
        asked = {path: {path, record_path(path)} & known.keys() for path in args.paths}
        number = store.delete(set().union(*asked.values()))
        print(f'{number} images deleted; {len(store)} in {store.where}')
    if missing := [path for path, names in asked.items() if not names]:
        print(f'Not in the gallery: {_some(missing)}')


def run_info(args: argparse.Namespace) -> None:
    """Tell what is in a gallery."""
    with open_store(args.store, **args.store_options) as store:
        rows = [
            ('images', str(len(store))),
            ('values to a feature', str(store.dim)),
            ('model', store.model),
            ('kind', type(store).__name__),
        ]
    print('\n'.join(f'{name + ":":22}{value}' for name, value in rows))


def build_inferencer(args: argparse.Namespace, store: Gallery | None = None) -> ReIDInferencer:
    """Build the model of a command line, to search a store or fill one."""
    options = ('device', 'flip', 'batch_size', 'num_workers')
    return ReIDInferencer(
        args.config, args.checkpoint, store, **{name: getattr(args, name) for name in options}
    )


def result_text(result: QueryResult) -> str:
    """Return what was found for a query as lines for a terminal."""
    rows = []
    for rank, match in enumerate(result.matches, start=1):
        record = match.record
        camera = '' if record.cam_id < 0 else str(record.cam_id)
        time = '' if record.time is None else f'{record.time:.15g}'
        similarity = similarity_text(match.similarity)
        rows.append((str(rank), similarity, camera, time, printable(record.path)))
    table = Table(('rank', 'similarity', 'camera', 'time', 'path'), rows)
    title = f'{printable(result.path)}: {len(rows)} images found'
    return f'{title}\n{table.to_text()}\n' if rows else f'{title}\n'


def _asked(args: argparse.Namespace) -> str:
    """Return what a search asked for, in sentences."""
    parts = [f'At most {args.topk} for each query']
    if args.threshold is not None:
        parts.append(f'Least similarity: {args.threshold:g}')
    for name, cameras in (('Cameras', args.camera), ('Cameras left out', args.not_camera)):
        if cameras:
            parts.append(f'{name}: {", ".join(map(str, cameras))}')
    for name, time in (('Since', args.since), ('Until', args.until)):
        if time is not None:
            parts.append(f'{name}: {time_text(time)}')
    parts += [f'{name}: {json.dumps(value, ensure_ascii=False)}' for name, value in args.field]
    return f'{". ".join(parts)}.'


def _write(path: Path, text: str) -> None:
    write_text_atomically(text, path)
    print(f'Wrote {path}')


def _some(names: Sequence[str]) -> str:
    """Name some of what may be many."""
    more = len(names) - _NAMES_SHOWN
    first = ', '.join(map(printable, names[:_NAMES_SHOWN]))
    return first + (f' and {more} others' if more > 0 else '')


def _time(text: str) -> float:
    try:
        return parse_time(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _field(text: str) -> tuple[str, FieldValue]:
    name, equals, value = text.partition('=')
    if not (name.rstrip(':') and equals):
        raise argparse.ArgumentTypeError(f'{text!r} is not of the form NAME=TEXT or NAME:=VALUE')
    if not name.endswith(':'):
        return name, value
    try:
        return name[:-1], json.loads(value)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'{value!r} in {text!r} is no number, true or false'
        ) from None


def main() -> None:
    """Do what the command line says."""
    args = parse_args()
    # Paths may hold bytes that are no UTF-8.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors='backslashreplace')
    args.run(args)


if __name__ == '__main__':
    main()

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

import json
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
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


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    store = ArgumentParser(add_help=False)
    option = store.add_argument
    option('--store', metavar='WHERE', required=True, help='the gallery')
    option(
        '--store-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='arguments of the store, such as collection=NAME for Milvus',
    )
    model = ArgumentParser(add_help=False)
    option = model.add_argument
    option('config', help='config file of the model, or its name in the model zoo')
    option('checkpoint', help='its weights')
    option('--flip', action='store_true', help='average in the mirror image')
    option('--batch-size', type=int, default=32, help='images at a time')
    option('--num-workers', type=int, default=0, help='processes that load images')
    option('--device', help='where the model runs (default: the accelerator, if any)')

    text = 'add the images of a folder, renew those that have changed, take out those that are gone'
    index = commands.add_parser('index', parents=[model, store], help=text)
    index.set_defaults(run=run_index)
    index.add_argument('folder', metavar='FOLDER', type=Path, help='the images')
    option = index.add_mutually_exclusive_group().add_argument
    option(
        '--pattern',
        metavar='REGEX',
        help='named groups find camera, time and others, which become fields, in the name of each '
        "file or, with a '/', in its path below FOLDER",
    )
    text = 'list with columns path, cam_id, time, others'
    option('--records', metavar='CSV', type=Path, help=text)
    text = 'add images that do not match or are not listed too, with nothing known about them'
    index.add_argument('--ignore-unmatched', action='store_true', help=text)

    query = commands.add_parser('query', parents=[model, store], help='look for people')
    query.set_defaults(run=run_query)
    option, cameras = query.add_argument, dict(type=int, nargs='+', metavar='ID')
    option('queries', metavar='QUERY', nargs='+', help='images, or folders of them')
    option('--topk', type=int, default=10, help='most images to find for each')
    option('--threshold', type=float, metavar='COSINE', help='least similarity')
    option('--camera', help='search these cameras alone', **cameras)
    option('--not-camera', default=(), help='leave these out', **cameras)
    text = 'earliest time, in seconds or as 2024-05-01T17:30:00'
    option('--since', type=_time, metavar='TIME', help=text)
    option('--until', type=_time, metavar='TIME', help='latest time')
    text = 'fields and the text they must equal; NAME:=VALUE for a number, true or false'
    option('--field', type=_field, nargs='+', default=(), metavar='NAME=TEXT', help=text)
    option('--out', metavar='HTML', type=Path, help='page of the results')
    option('--json', metavar='JSON', type=Path, help='file of the results')

    delete = commands.add_parser('delete', parents=[store], help='take images out')
    delete.set_defaults(run=run_delete)
    delete.add_argument('paths', metavar='PATH', nargs='+', help='which; the files stay')
    info = commands.add_parser('info', parents=[store], help='tell what is in a gallery')
    info.set_defaults(run=run_info)
    return parser.parse_args()


def run_index(args: Namespace) -> None:
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
    print_some('Nothing known about', sorted(unknown))
    print_some('Unreadable:', [f'{path} ({why})' for path, why in summary.failed.items()])


def run_query(args: Namespace) -> None:
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
        print_result(result)
    if args.json:
        entries = [dict(query=r.path, matches=[m.to_dict() for m in r.matches]) for r in results]
        _write(args.json, json.dumps(entries, indent=1))
    if args.out:
        _write(args.out, match_page(results, [f'{size} images in {store.where}.', _asked(args)]))


def run_delete(args: Namespace) -> None:
    """Take images out of a gallery."""
    with open_store(args.store, **args.store_options) as store:
        known = store.stamps()
        # Programs may keep images under other names than files.
        asked = {path: {path, record_path(path)} & known.keys() for path in args.paths}
        number = store.delete(set().union(*asked.values()))
        print(f'{number} images deleted; {len(store)} in {store.where}')
    print_some('Not in the gallery:', [path for path, names in asked.items() if not names])


def run_info(args: Namespace) -> None:
    """Tell what is in a gallery."""
    with open_store(args.store, **args.store_options) as store:
        print(f'{"images:":22}{len(store)}\n{"values to a feature:":22}{store.dim}')
        print(f'{"model:":22}{store.model}\n{"kind:":22}{type(store).__name__}')


def build_inferencer(args: Namespace, store: Gallery | None = None) -> ReIDInferencer:
    """Build the model of a command line, to search a store or fill one."""
    options = ('device', 'flip', 'batch_size', 'num_workers')
    return ReIDInferencer(
        args.config, args.checkpoint, store, **{name: getattr(args, name) for name in options}
    )


def print_result(result: QueryResult) -> None:
    """Print what was found for a query."""
    rows = []
    for rank, match in enumerate(result.matches, start=1):
        camera = '' if match.record.cam_id < 0 else str(match.record.cam_id)
        time = '' if match.record.time is None else f'{match.record.time:.15g}'
        similarity, path = similarity_text(match.similarity), printable(match.record.path)
        rows.append((str(rank), similarity, camera, time, path))
    print(f'{printable(result.path)}: {len(rows)} images found')
    if rows:
        print(Table(('rank', 'similarity', 'camera', 'time', 'path'), rows).to_text())
    print()


def _asked(args: Namespace) -> str:
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


def print_some(heading: str, names: Sequence[str]) -> None:
    """Name some of what may be many, if there are any."""
    if names:
        more = len(names) - _NAMES_SHOWN
        first = ', '.join(map(printable, names[:_NAMES_SHOWN]))
        print(heading, first + (f' and {more} others' if more > 0 else ''))


def _time(text: str) -> float:
    try:
        return parse_time(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def _field(text: str) -> tuple[str, FieldValue]:
    name, equals, value = text.partition('=')
    if not (name.rstrip(':') and equals):
        raise ArgumentTypeError(f'{text!r} is not of the form NAME=TEXT or NAME:=VALUE')
    try:
        return (name[:-1], json.loads(value)) if name.endswith(':') else (name, value)
    except ValueError:
        raise ArgumentTypeError(f'{value!r} in {text!r} is no number or truth') from None


def main() -> None:
    """Do what the command line says."""
    args = parse_args()
    args.run(args)


if __name__ == '__main__':
    main()

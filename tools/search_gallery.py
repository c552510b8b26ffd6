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

import csv
import json
import os
import re
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mmengine.config import DictAction

from passreid import ReIDInferencer
from passreid.apis.gallery_index import record_path
from passreid.apis.inference_pipeline import list_inputs
from passreid.datasets.folder_reid import parse_id
from passreid.search import FieldValue, Gallery, GalleryRecord, SearchFilter, open_store
from passreid.utils.atomic_file import atomic_file
from passreid.utils.messages import name_some, printable
from passreid.visualization import QueryResult, Table, match_page, similarity_text, time_text

# Gives the record of a path, or None when nothing is known about it.
Find = Callable[[str], GalleryRecord | None]


def parse_time(text: str) -> float:
    """Read a time in seconds, or a date and time of ISO 8601, of UTC where it does not say."""
    try:
        return float(text)
    except ValueError:
        date = datetime.fromisoformat(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()


def parse_field(text: str) -> tuple[str, FieldValue]:
    """Read NAME=TEXT or NAME:=VALUE."""
    name, equals, value = text.partition('=')
    if not (name.rstrip(':') and equals):
        raise ValueError(text)
    return (name[:-1], json.loads(value)) if name.endswith(':') else (name, value)


def make_record(path: str, texts: Mapping[str, str], camera_key: str, where: str) -> GalleryRecord:
    """Make a record of texts by name; what is empty is not known."""
    known = {name: text for name, text in texts.items() if text}
    camera, time = known.pop(camera_key, '-1'), known.pop('time', None)
    try:
        return GalleryRecord(path, parse_id(camera), time and parse_time(time), known)
    except ValueError as error:
        raise ValueError(f'{where}: {error}') from None


def records_of_names(folder: Path, pattern: str) -> Find:
    """Return what reads camera, time and fields out of file names, or paths below the folder."""
    root = os.path.realpath(folder)
    try:
        regex = re.compile(pattern)
    except re.error as error:
        raise ValueError(f'--pattern {pattern!r} is no regular expression: {error}') from error
    if not regex.groupindex:
        raise ValueError(f'--pattern {pattern!r} has no named group such as (?P<camera>...)')

    def find(path: str) -> GalleryRecord | None:
        name = os.path.relpath(path, root) if '/' in pattern else os.path.basename(path)
        found = regex.match(name)
        return make_record(path, found.groupdict(), 'camera', path) if found else None

    return find


def records_of_list(folder: Path, file: Path) -> Find:
    """Read a CSV file with the columns path (below the folder), cam_id, time, and other fields."""
    records: dict[str, GalleryRecord] = {}
    root = os.path.realpath(folder)
    with file.open(encoding='utf-8-sig', errors='surrogateescape', newline='') as opened:
        reader = csv.DictReader(opened, strict=True)
        if 'path' not in (reader.fieldnames or []):
            raise ValueError(f'{file} has the columns {reader.fieldnames}: it needs path')
        for row in reader:
            where = f'{file}, line {reader.line_num}'
            if None in row or None in row.values():
                raise ValueError(f'{where}: expected are {len(reader.fieldnames)} columns')
            name = row.pop('path')
            inside = os.path.normpath(os.path.join(root, name))
            path = record_path(name) if os.path.isabs(name) else inside
            records[path] = make_record(path, row, 'cam_id', where)
    return records.get


def run_index(args: Namespace) -> None:
    """Bring a gallery up to date."""
    unknown: set[str] = set()
    find: Find = GalleryRecord
    if args.pattern:
        find = records_of_names(args.folder, args.pattern)
    elif args.records:
        find = records_of_list(args.folder, args.records)

    def record(path: str) -> GalleryRecord:
        found = find(path)
        if not (found or args.ignore_unmatched):
            raise ValueError(
                f'{path} does not match {args.pattern or args.records}. Change that, or let '
                'nothing be known about such images with --ignore-unmatched'
            )
        unknown.update([] if found else [path])
        return found or GalleryRecord(path)

    inferencer = build_inferencer(args)
    origin = inferencer.dim, inferencer.fingerprint
    with open_store(args.store, *origin, **args.store_options) as store:
        summary = inferencer.index(args.folder, store, record)
        print(f'{args.folder}: {summary}; {len(store)} images in {store.where}')
    if unknown:
        print('Nothing known about', name_some(sorted(unknown)))
    if summary.failed:
        failed = name_some([f'{path} ({why})' for path, why in summary.failed.items()])
        print('Unreadable:', failed)


def run_query(args: Namespace) -> None:
    """Search a gallery."""
    fields = dict(args.field)
    where = SearchFilter(args.camera, args.not_camera, args.since, args.until, fields=fields)
    queries = list_inputs(args.queries)
    with open_store(args.store, **args.store_options) as store:
        inferencer = build_inferencer(args, store, standardize_cameras=args.standardize_cameras)
        cameras = None if args.query_camera is None else [args.query_camera] * len(queries)
        found = inferencer(queries, args.topk, where, args.threshold, cameras=cameras)
        size = len(store)
    results = [QueryResult(*pair) for pair in zip(queries, found, strict=True)]
    for result in results:
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
    written = {}
    if args.json:
        entries = [dict(query=r.path, matches=[m.to_dict() for m in r.matches]) for r in results]
        written[args.json] = json.dumps(entries, indent=1)
    if args.out:
        written[args.out] = match_page(results, [f'{size} images in {store.where}.', asked(args)])
    for path, text in written.items():
        with atomic_file(path) as file:
            file.write(text.encode())
        print(f'Wrote {path}')


def run_delete(args: Namespace) -> None:
    """Take images out of a gallery."""
    with open_store(args.store, **args.store_options) as store:
        known = store.stamps()
        # Programs may keep images under other names than files.
        names = {path: {path, record_path(path)} & known.keys() for path in args.paths}
        number = store.delete(set().union(*names.values()))
        print(f'{number} images deleted; {len(store)} in {store.where}')
    if absent := [path for path, found in names.items() if not found]:
        print('Not in the gallery:', name_some(absent))


def run_info(args: Namespace) -> None:
    """Tell what is in a gallery."""
    with open_store(args.store, **args.store_options) as store:
        print(f'{"images:":22}{len(store)}\n{"values to a feature:":22}{store.dim}')
        print(f'{"model:":22}{store.model}\n{"kind:":22}{type(store).__name__}')


def build_inferencer(
    args: Namespace, store: Gallery | None = None, **options: Any
) -> ReIDInferencer:
    """Build the model of a command line, to search a store or fill one."""
    options |= dict(flip=args.flip, batch_size=args.batch_size, num_workers=args.num_workers)
    return ReIDInferencer(args.config, args.checkpoint, store, device=args.device, **options)


def asked(args: Namespace) -> str:
    """Return what a search asked for, in sentences."""
    cameras, others = (', '.join(map(str, ids or ())) for ids in (args.camera, args.not_camera))
    since, until = (t if t is None else time_text(t) for t in (args.since, args.until))
    parts = {'Images': f'at most {args.topk} for each query', 'Least similarity': args.threshold}
    parts |= {'Cameras': cameras, 'Cameras left out': others, 'Since': since, 'Until': until}
    parts |= {name: json.dumps(value, ensure_ascii=False) for name, value in args.field}
    return ' '.join(f'{name}: {text}.' for name, text in parts.items() if text not in (None, ''))


def main() -> None:
    """Do what the command line says."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    store = ArgumentParser(add_help=False)
    store.add_argument('--store', metavar='WHERE', required=True, help='the gallery')
    text = 'arguments of the store, such as collection=NAME for Milvus'
    pairs = dict(nargs='+', action=DictAction, default={}, metavar='KEY=VALUE')
    store.add_argument('--store-options', help=text, **pairs)
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
    text = 'named groups find camera, time and other fields in file names, or, with a "/", in paths'
    option('--pattern', metavar='REGEX', help=text)
    option('--records', metavar='CSV', type=Path, help='list: path, cam_id, time, other fields')
    text = 'add images that do not match or are not listed too, with nothing known about them'
    index.add_argument('--ignore-unmatched', action='store_true', help=text)

    query = commands.add_parser('query', parents=[model, store], help='look for people')
    query.set_defaults(run=run_query)
    option, cameras = query.add_argument, dict(type=int, nargs='+', metavar='ID')
    option('queries', metavar='QUERY', nargs='+', help='images, or folders of them')
    option('--topk', type=int, default=10, help='most images to find for each')
    option('--threshold', type=float, metavar='COSINE', help='least similarity')
    option('--camera', help='search these cameras alone', **cameras)
    text = 'take off what each camera adds to features; similarities are then lower'
    option('--standardize-cameras', action='store_true', help=text)
    text = 'with --standardize-cameras, the camera that took the queries (default: unknown)'
    option('--query-camera', type=int, metavar='ID', help=text)
    option('--not-camera', default=(), help='leave these out', **cameras)
    text = 'earliest time, in seconds or as 2024-05-01T17:30:00'
    option('--since', type=parse_time, metavar='TIME', help=text)
    option('--until', type=parse_time, metavar='TIME', help='latest time')
    text = 'fields and the text they must equal; NAME:=VALUE for a number, true or false'
    option('--field', type=parse_field, nargs='+', default=(), metavar='NAME=TEXT', help=text)
    option('--out', metavar='HTML', type=Path, help='page of the results')
    option('--json', metavar='JSON', type=Path, help='file of the results')

    delete = commands.add_parser('delete', parents=[store], help='take images out')
    delete.set_defaults(run=run_delete)
    delete.add_argument('paths', metavar='PATH', nargs='+', help='which; the files stay')
    info = commands.add_parser('info', parents=[store], help='tell what is in a gallery')
    info.set_defaults(run=run_info)
    args = parser.parse_args()
    args.run(args)


if __name__ == '__main__':
    main()

"""Cameras, times and fields of images, from their names or from a list."""

import csv
import math
import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from passreid.apis.gallery_index import record_path
from passreid.datasets.folder_reid import parse_id
from passreid.search import GalleryRecord

# Gives the record of a path, or None when nothing is known about it.
Find = Callable[[str], GalleryRecord | None]


def records_of_names(folder: Path, pattern: str) -> Find:
    r"""Return what reads records out of paths.

    Args:
        folder (Path): The gallery.
        pattern (str): Regular expression, matched from the beginning of the file name or, if it
            contains a '/', of the path below the folder. The named group ``camera`` is the camera,
            ``time`` the time; others become fields.

    Examples:
        >>> find = records_of_names(Path('/crops'), r'(?P<person>\d+)_c(?P<camera>\d)')
        >>> record = find('/crops/monday/0042_c3_17.jpg')
        >>> record.cam_id, record.fields
        (3, {'person': '0042'})
    """
    root = os.path.realpath(folder)
    try:
        regex = re.compile(pattern)
    except re.error as error:
        raise ValueError(f'--pattern {pattern!r} is no regular expression: {error}') from error
    if not regex.groupindex:
        raise ValueError(
            f'--pattern {pattern!r} has no named group: (?P<camera>...), (?P<time>...), or others, '
            'which become fields'
        )

    def find(path: str) -> GalleryRecord | None:
        name = os.path.relpath(path, root) if '/' in pattern else os.path.basename(path)
        found = regex.match(name.replace(os.sep, '/'))
        return _record(path, found.groupdict(), 'camera', path) if found else None

    return find


def records_of_list(folder: Path, file: Path) -> Find:
    """Read records from a CSV file with the columns path, cam_id, time, and others as fields.

    Args:
        folder (Path): The gallery, below which paths are, if they are not absolute.
        file (Path): The list, in UTF-8.
    """
    records: dict[str, GalleryRecord] = {}
    root = os.path.realpath(folder)
    with file.open(encoding='utf-8-sig', errors='surrogateescape', newline='') as opened:
        reader = csv.DictReader(opened, strict=True)
        if 'path' not in (reader.fieldnames or []):
            raise ValueError(
                f'{file} has the columns {reader.fieldnames}: it needs path, may have cam_id and '
                'time, and others become fields'
            )
        for row in reader:
            where = f'{file}, line {reader.line_num}'
            if None in row or None in row.values():
                raise ValueError(f'{where}: expected are {len(reader.fieldnames)} columns')
            name = row.pop('path')
            inside = os.path.normpath(os.path.join(root, name))
            path = record_path(name) if os.path.isabs(name) else inside
            records[path] = _record(path, row, 'cam_id', where)
    return records.get


def parse_time(text: str) -> float:
    """Read a time in seconds, or a date and time of ISO 8601, of UTC where it does not say.

    Examples:
        >>> parse_time('12.5'), parse_time('1970-01-02')
        (12.5, 86400.0)
    """
    try:
        seconds = float(text)
    except ValueError:
        try:
            date = datetime.fromisoformat(text.strip().upper())
            seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
        except ValueError:
            seconds = math.nan
    if not math.isfinite(seconds):
        raise ValueError(
            f'{text!r} is no time: expected are seconds, or a date like 2024-05-01T17:30'
        )
    return seconds


def _record(path: str, texts: Mapping[str, str], camera_key: str, where: str) -> GalleryRecord:
    """Make a record of texts by name; what is empty is not known."""
    known = {name: text for name, text in texts.items() if text}
    camera, time = known.pop(camera_key, '-1'), known.pop('time', None)
    try:
        return GalleryRecord(path, parse_id(camera), time and parse_time(time), known)
    except ValueError as error:
        raise ValueError(f'{where}: {error}') from None

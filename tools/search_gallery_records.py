"""Cameras, times and fields of images, from their names or from a list."""

import csv
import math
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from passreid.apis.gallery_index import record_path
from passreid.datasets.text_number import text_number
from passreid.search import GalleryRecord

_CAMERA, _TIME = 'camera', 'time'
_PATH, _CAM_ID = 'path', 'cam_id'


class UnknownImageError(ValueError):
    """Nothing is known about an image of the gallery."""


class IgnoreUnknown:
    """Let nothing be known about images of which others know nothing, and count them.

    Args:
        records (Callable): Gives the record of a path, or raises :class:`UnknownImageError`.
    """

    def __init__(self, records: Callable[[str], GalleryRecord]) -> None:
        self.records = records
        self.unknown: set[str] = set()

    def __call__(self, path: str) -> GalleryRecord:
        """Return the record of an image."""
        try:
            return self.records(path)
        except UnknownImageError:
            self.unknown.add(path)
            return GalleryRecord(path)


class NameRecords:
    r"""Reads records out of paths.

    Args:
        folder (Path): The gallery.
        pattern (str): Regular expression, matched from the beginning of the file name or, if it
            contains a '/', of the path below the folder. The named group ``camera`` is the camera,
            ``time`` the time; others become fields.

    Raises:
        ValueError: When it is no regular expression, or has no named group.

    Examples:
        >>> names = NameRecords(Path('/crops'), r'(?P<person>\d+)_c(?P<camera>\d)')
        >>> record = names('/crops/monday/0042_c3_17.jpg')
        >>> record.cam_id, record.fields
        (3, {'person': '0042'})
    """

    def __init__(self, folder: Path, pattern: str) -> None:
        self.folder = os.path.realpath(folder)
        try:
            self.regex = re.compile(pattern)
        except re.error as error:
            raise ValueError(f'--pattern {pattern!r} is no regular expression: {error}') from error
        if not self.regex.groupindex:
            raise ValueError(
                f'--pattern {pattern!r} has no named group: (?P<camera>...), (?P<time>...), or '
                'others, which become fields'
            )

    def __call__(self, path: str) -> GalleryRecord:
        """Return the record of an image.

        Raises:
            UnknownImageError: When its name does not match.
            ValueError: When the time in its name is none.
        """
        below = os.path.relpath(path, self.folder).replace(os.sep, '/')
        name = below if '/' in self.regex.pattern else os.path.basename(path)
        found = self.regex.match(name)
        if not found:
            raise UnknownImageError(
                f'{path}: {name!r} does not match --pattern {self.regex.pattern!r}. Change the '
                'pattern, or let nothing be known about such images with --ignore-unmatched'
            )
        return _record(path, found.groupdict(), _CAMERA, path)


class ListedRecords:
    """Reads records from a CSV file with the columns path, cam_id, time, and others as fields.

    Args:
        folder (Path): The gallery, below which paths are, if they are not absolute.
        file (Path): The list, in UTF-8.

    Raises:
        ValueError: When it has no column ``path``, or a line is not as it should be.
    """

    def __init__(self, folder: Path, file: Path) -> None:
        self.file = file
        self.records: dict[str, GalleryRecord] = {}
        root = os.path.realpath(folder)
        with file.open(encoding='utf-8-sig', errors='surrogateescape', newline='') as opened:
            reader = csv.DictReader(opened, strict=True)
            header = reader.fieldnames or []
            if _PATH not in header or len(set(header)) < len(header):
                raise ValueError(
                    f'{file} has the columns {list(header)}: it needs path, may have cam_id and '
                    'time, and others become fields; none twice'
                )
            for row in reader:
                where = f'{file}, line {reader.line_num}'
                if None in row or None in row.values():
                    raise ValueError(f'{where}: expected are {len(header)} columns')
                name = row.pop(_PATH)
                inside = os.path.normpath(os.path.join(root, name))
                path = record_path(name) if os.path.isabs(name) else inside
                if path in self.records:
                    raise ValueError(f'{where}: {name} has been listed before')
                self.records[path] = _record(path, row, _CAM_ID, where)

    def __call__(self, path: str) -> GalleryRecord:
        """Return the record of an image.

        Raises:
            UnknownImageError: When it is not in the list.
        """
        if path not in self.records:
            raise UnknownImageError(
                f'{path} is not in {self.file}. Add it, or let nothing be known about such images '
                'with --ignore-unmatched'
            )
        return self.records[path]


def parse_time(text: str) -> float:
    """Read a time.

    Args:
        text (str): Seconds, or a date and time of ISO 8601, such as 2024-05-01T17:30:00+02:00; of
            UTC where it does not say.

    Returns:
        float: Seconds; those of Unix for a date.

    Raises:
        ValueError: When it is neither.

    Examples:
        >>> parse_time('12.5'), parse_time('1970-01-02')
        (12.5, 86400.0)
    """
    try:
        seconds = float(text)
    except ValueError:
        try:
            date = datetime.fromisoformat(text.strip().upper())
        except ValueError:
            raise ValueError(
                f'{text!r} is no time: expected are seconds, or a date like 2024-05-01T17:30:00'
            ) from None
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    if not math.isfinite(seconds):
        raise ValueError(f'{text!r} is no time: it is not finite')
    return seconds


def _record(path: str, texts: dict[str, str | None], camera_key: str, where: str) -> GalleryRecord:
    """Make a record of texts by name; what is empty is not known."""
    known = {name: text for name, text in texts.items() if text}
    camera, time = known.pop(camera_key, None), known.pop(_TIME, None)
    try:
        seconds = None if time is None else parse_time(time)
    except ValueError as error:
        raise ValueError(f'{where}: {error}') from None
    return GalleryRecord(path, -1 if camera is None else text_number(camera), seconds, known)

"""Lists of images with the persons on them."""

import os
import os.path as osp
import re
from collections.abc import Iterator, Sequence

from .key_list import path_problem

# More digits would not fit into 64 bits.
_PID = re.compile('-1|[0-9]{1,18}')
_SHOWN = 200


def read_labelled_list(path: str) -> Iterator[tuple[str, str, int]]:
    """Read a list of which each line has the path of an image and a pid, in UTF-8.

    Line ends may be LF or CRLF; empty lines are left out; a path may contain spaces.

    Args:
        path (str): The list.

    Yields:
        tuple: Place of the line, to be named in an error, path of the image and pid.

    Raises:
        ValueError: For a line without both columns, a path that leaves the data root or is no
            image's, or one that was listed before; names the line.
    """
    seen: dict[str, int] = {}
    with open(path, encoding='utf-8-sig', errors='surrogateescape', newline='\n') as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            place = f'line {number} of {path}'
            name, pid = [*line.rsplit(None, 1), ''][:2]
            name = name.strip()
            if not _PID.fullmatch(pid):
                raise ValueError(
                    f'{place}, {line.strip()[:_SHOWN]!r}, is not the path of an image and a pid, '
                    'like "0001/0001_000_01_0303morning_0015_0.jpg 1"'
                )
            if problem := path_problem(name):
                raise ValueError(f'{place}: {name[:_SHOWN]!r} {problem}')
            if name in seen:
                raise ValueError(f'{place}: {name!r} stands in line {seen[name]} already')
            seen[name] = number
            yield place, name, int(pid)


def check_files(root: str, paths: Sequence[str], source: str) -> None:
    """Make sure that files exist, by reading their folders instead of asking for each.

    Args:
        root (str): Folder that the paths are relative to.
        paths (Sequence[str]): The files.
        source (str): Where the paths come from, to be named in the error.

    Raises:
        FileNotFoundError: When files are missing; names the first and says how many.
    """
    present: dict[str, set[str]] = {}
    missing = []
    for path in paths:
        folder, name = osp.split(path)
        if folder not in present:
            full = osp.join(root, folder)
            present[folder] = set(os.listdir(full)) if osp.isdir(full) else set()
        if name not in present[folder]:
            missing.append(path)
    if missing:
        raise FileNotFoundError(
            f'{len(missing)} of the {len(paths)} files in {source} are missing, the first of '
            f'them {osp.join(root, missing[0])}'
        )

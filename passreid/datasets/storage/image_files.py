"""Finding the images of a folder."""

import logging
import os
import stat
from collections.abc import Iterator

from passreid.utils.messages import log_once, printable

IMAGE_EXTENSIONS = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')
# Pictures that are not read; to pass over them without a word would lose them.
_OTHER_EXTENSIONS = ('.gif', '.jfif', '.jpe', '.jp2', '.heic', '.heif', '.avif', '.jxl', '.ppm')

# The :func:`stamp` of each file or folder that a list of names was read from, by path.
Stamps = dict[str, list[int]]


def stamp(path: str) -> list[int]:
    """Return figures of which one changes when a file or a folder does."""
    status = os.stat(path)
    # The size of a folder means something else on each file system.
    return [status.st_mtime_ns, 0 if stat.S_ISDIR(status.st_mode) else status.st_size]


def list_images(folder: str) -> list[str]:
    """Return the names of the images in a folder, sorted; folders in it are not entered."""
    return _images(folder, sorted(os.listdir(folder)))


def scan_folder(root: str, stamps: Stamps | None = None) -> Iterator[str]:
    """Find the images of a folder and the folders in it, depth first, in the order of their names.

    Links are followed, but no folder is entered twice, so loops end. Hidden files and folders are
    left out. ``stamps`` gets those of the folders.
    """
    entered: set[tuple[int, int]] = set()

    def scan(folder: str) -> Iterator[str]:
        path = os.path.join(root, folder) if folder else root
        status = os.stat(path)
        if (status.st_dev, status.st_ino) in entered:
            return
        entered.add((status.st_dev, status.st_ino))
        if stamps is not None:
            # Before the folder is read: what is added meanwhile makes the list stale.
            stamps[path] = stamp(path)
        with os.scandir(path) as found:
            is_folder = {entry.name: _is_folder(entry) for entry in found if entry.name[0] != '.'}
        names = sorted(is_folder)
        images = set(_images(path, [name for name in names if not is_folder[name]]))
        for name in names:
            if is_folder[name]:
                yield from scan(os.path.join(folder, name))
            elif name in images:
                yield os.path.join(folder, name)

    yield from scan('')


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    # A link that leads to itself: if it has the name of an image, reading it is an error.
    except OSError:
        return False


def _images(folder: str, names: list[str]) -> list[str]:
    visible = [name for name in names if not name.startswith('.')]
    others = [name for name in visible if name.lower().endswith(_OTHER_EXTENSIONS)]
    if others:
        log_once(
            logging.WARNING,
            f'{len(others)} pictures in {folder} are left out, for they are none of '
            f'{", ".join(IMAGE_EXTENSIONS)}: {", ".join(map(printable, others[:3]))}',
        )
    return [name for name in visible if name.lower().endswith(IMAGE_EXTENSIONS)]

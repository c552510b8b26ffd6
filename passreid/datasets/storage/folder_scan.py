"""Finding the images of a folder and of the folders in it."""

import os
from collections.abc import Iterator

from mmengine.logging import MMLogger

from .image_files import is_image_name, is_other_picture, warn_of_other_pictures

PROGRESS_EVERY = 500_000


class FolderScan:
    """Find images depth first, in the order of their names.

    Links are followed, but no folder is entered twice, so loops end. Hidden files and folders,
    whose names begin with a dot, are left out.

    Args:
        root (str): An existing folder.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        # Path below the root of each folder entered, and the time of its last change in ns.
        self.stamps: dict[str, list[int]] = {}
        self._entered: set[tuple[int, int]] = set()
        self._num_images = 0

    def __iter__(self) -> Iterator[str]:
        """Yield the path below the root of each image."""
        yield from self._scan('')

    def is_fresh(self, stamps: dict[str, list[int]]) -> bool:
        """Whether no folder has changed since an earlier scan.

        Args:
            stamps (dict): The ``stamps`` of that scan.
        """
        try:
            return all(
                os.stat(os.path.join(self.root, folder)).st_mtime_ns == changed
                for folder, [changed] in stamps.items()
            )
        except (OSError, ValueError):
            return False

    def _scan(self, folder: str) -> Iterator[str]:
        path = os.path.join(self.root, folder)
        # Taken before the folder is read: what is added meanwhile makes the record stale.
        stat = os.stat(path)
        logger = MMLogger.get_current_instance()
        if (stat.st_dev, stat.st_ino) in self._entered:
            logger.warning(f'{path} leads to a folder that was read already: left out')
            return
        self._entered.add((stat.st_dev, stat.st_ino))
        self.stamps[folder] = [stat.st_mtime_ns]
        with os.scandir(path) as found:
            entries = sorted(
                (entry.name, _is_folder(entry)) for entry in found if not entry.name.startswith('.')
            )
        others = [name for name, is_folder in entries if not is_folder and is_other_picture(name)]
        warn_of_other_pictures(path, others)
        for name, is_folder in entries:
            if is_folder:
                yield from self._scan(os.path.join(folder, name))
            elif is_image_name(name):
                self._num_images += 1
                if self._num_images % PROGRESS_EVERY == 0:
                    logger.info(f'{self._num_images} images found in {self.root} so far')
                yield os.path.join(folder, name)


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    # A link that leads to itself: if it has the name of an image, reading it is an error.
    except OSError:
        return False

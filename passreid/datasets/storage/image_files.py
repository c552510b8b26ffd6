"""Which files of a folder are images."""

import logging
import os

from passreid.utils.log_once import log_once
from passreid.utils.printable import printable

IMAGE_EXTENSIONS = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')
# Pictures that are not read; to pass over them without a word would lose them.
_OTHER_EXTENSIONS = (
    *('.gif', '.jfif', '.jpe', '.jp2', '.heic', '.heif', '.avif', '.jxl', '.tga', '.ico'),
    *('.ppm', '.pgm', '.pbm', '.pnm', '.eps', '.svg', '.psd', '.raw', '.dng'),
)


def is_image_name(name: str) -> bool:
    """Whether a file name is an image's: its extension is known and it is not hidden.

    Args:
        name (str): Name without folders.
    """
    return name.lower().endswith(IMAGE_EXTENSIONS) and not name.startswith('.')


def is_other_picture(name: str) -> bool:
    """Whether a file name is that of a picture of a kind that is not read.

    Args:
        name (str): Name without folders.
    """
    return name.lower().endswith(_OTHER_EXTENSIONS) and not name.startswith('.')


def list_images(folder: str) -> list[str]:
    """Names of the images in a folder, sorted; folders in it are not entered.

    Pictures of other kinds are counted and logged.

    Args:
        folder (str): An existing folder.
    """
    names = sorted(os.listdir(folder))
    warn_of_other_pictures(folder, [name for name in names if is_other_picture(name)])
    return [name for name in names if is_image_name(name)]


def warn_of_other_pictures(folder: str, names: list[str]) -> None:
    """Log that pictures are left out because of their kind.

    Args:
        folder (str): Where they are.
        names (list[str]): They; nothing is logged if there are none.
    """
    if names:
        log_once(
            logging.WARNING,
            f'{len(names)} pictures in {folder} are left out, for they are none of '
            f'{", ".join(IMAGE_EXTENSIONS)}: {", ".join(map(printable, names[:3]))}',
        )

"""Which files of a folder are images."""

import os

IMAGE_EXTENSIONS = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')


def is_image_name(name: str) -> bool:
    """Whether a file name is an image's: its extension is known and it is not hidden.

    Args:
        name (str): Name without folders.
    """
    return name.lower().endswith(IMAGE_EXTENSIONS) and not name.startswith('.')


def list_images(folder: str) -> list[str]:
    """Names of the images in a folder, sorted; folders in it are not entered.

    Args:
        folder (str): An existing folder.
    """
    return sorted(name for name in os.listdir(folder) if is_image_name(name))

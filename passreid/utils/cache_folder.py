"""Where files go that are made once from images and kept."""

import hashlib
import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_folder(root: str | os.PathLike) -> Path:
    """Return the folder for what is computed from the images of a folder; made when missing.

    It lies in the user's cache folder (``~/.cache/passreid`` on Linux), never among the images,
    which may be shared, read-only or under version control.

    Args:
        root (str | Path): Folder of the images.
    """
    name = os.path.basename(os.path.realpath(root))[:50]
    folder = user_cache_path('passreid') / f'{name}-{source_digest(root)}'
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def source_digest(path: str | os.PathLike) -> str:
    """Return 16 characters that stand for a file or folder, by whatever links it is reached."""
    return hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:16]

"""Where files go that are made once from images and kept."""

import hashlib
import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_folder(root: str | os.PathLike) -> Path:
    """Return the folder for what is computed from the images of ``root``; made when missing.

    It lies in the user's cache folder (``~/.cache/passreid`` on Linux), never among the images,
    which may be shared, read-only or under version control.
    """
    path = os.path.realpath(root)
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    folder = user_cache_path('passreid') / f'{os.path.basename(path)[:50]}-{digest}'
    folder.mkdir(parents=True, exist_ok=True)
    return folder

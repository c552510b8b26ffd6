"""Where files go that are made once from images and kept."""

import hashlib
import os
from pathlib import Path


def cache_folder(root: str | os.PathLike) -> Path:
    """Return a folder for what is computed from the images of a folder; made when missing.

    Args:
        root (str | Path): Folder of the images.

    Returns:
        Path: ``<root>/.passreid_cache`` or, where that cannot be written,
        ``$XDG_CACHE_HOME/passreid`` (``~/.cache/passreid``), which several folders of images share.

    Raises:
        OSError: When neither can be written.
    """
    folder = Path(root) / '.passreid_cache'
    try:
        folder.mkdir(exist_ok=True)
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
    except OSError:
        pass
    folder = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'passreid'
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def source_digest(source: str | os.PathLike) -> str:
    """Return 16 characters that stand for a file or folder, by whatever links it is reached."""
    return hashlib.sha256(os.fsencode(os.path.realpath(source))).hexdigest()[:16]

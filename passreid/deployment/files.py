"""Files that are written whole, and packages that may be missing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any


def import_optional(name: str) -> Any:
    """Import a package that is needed for exported files alone.

    Args:
        name (str): Of the module.

    Raises:
        ImportError: When it is not installed; says what to do.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(
            f'This needs the package {name.split(".")[0]}: pip install onnx onnxruntime onnxscript'
        ) from error


@contextmanager
def written_whole(path: str | Path, suffix: str) -> Iterator[Path]:
    """Give a path to write to; what lies beside it takes its place when the block ends well.

    Nobody ever sees half a file, and nothing is left of one whose making failed.

    Args:
        path (str | Path): The file. Folders that are missing are made.
        suffix (str): How its name has to end.

    Yields:
        Path: A file of the same name in another folder.

    Raises:
        ValueError: When the name ends otherwise: programs tell formats by it.
    """
    path = Path(path)
    if path.suffix != suffix:
        raise ValueError(f'{path}: the name of the file must end with {suffix}')
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix='.', suffix='.partial', dir=path.parent) as folder:
        yield Path(folder) / path.name
        # The named file comes last: what else there is, it refers to.
        for part in sorted(Path(folder).iterdir(), key=lambda part: part.name == path.name):
            os.replace(part, path.parent / part.name)

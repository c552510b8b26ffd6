"""Figures as PNG files."""

import os
from io import BytesIO
from pathlib import Path

from matplotlib.figure import Figure


def png_bytes(figure: Figure, dpi: int = 100) -> bytes:
    """Draw a figure.

    Args:
        figure (Figure): What to draw.
        dpi (int): Pixels to the inch. Defaults to 100.

    Returns:
        bytes: A PNG file. The same figure gives the same bytes.
    """
    buffer = BytesIO()
    # The default metadata names the version of matplotlib.
    figure.savefig(buffer, format='png', dpi=dpi, metadata={'Software': None})
    return buffer.getvalue()


def write_png(figure: Figure, path: str | Path, dpi: int = 100) -> None:
    """Write a figure to a file, whole or not at all.

    Args:
        figure (Figure): What to draw.
        path (str | Path): The file. Folders that are missing are made.
        dpi (int): Pixels to the inch. Defaults to 100.

    Raises:
        OSError: When the file cannot be written.
    """
    path = Path(path)
    data = png_bytes(figure, dpi)
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name may be as long as names can be.
    unfinished = path.with_name(f'.{os.getpid()}.{path.name[:40]}')
    unfinished.write_bytes(data)
    unfinished.replace(path)

"""What ``cluster_gallery.py`` writes: a list of the clusters and a contact sheet of each."""

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from passreid.visualization import draw_contact_sheet, write_png

LIST_NAME, OUTLIERS_NAME = 'clusters.csv', 'outliers.png'
_PICTURES = re.compile(r'cluster_\d{4,}\.png|outliers\.png')
# A spreadsheet takes what begins with one of these for a formula.
_FORMULA_SIGNS = tuple('=+-@\t\r')


def check_output(out: Path, images: Path) -> None:
    """Make sure that nothing but the files of an earlier run will be replaced.

    Args:
        out (Path): Where results are to go; need not exist.
        images (Path): Folder of the images.

    Raises:
        ValueError: When the results would lie among the images.
        FileExistsError: When there is something else; hidden files do not matter.
    """
    if out.resolve().is_relative_to(images.resolve()):
        raise ValueError(
            f'--out {out} lies in {images}: the next run would take the contact sheets for images '
            'of people. Choose another folder'
        )
    if not out.exists():
        return
    if not out.is_dir():
        raise FileExistsError(f'--out {out} is a file: name a folder')
    names = sorted(path.name for path in out.iterdir() if not path.name.startswith('.'))
    own = [name for name in names if name == LIST_NAME or _PICTURES.fullmatch(name)]
    # Pictures without a list are somebody else's.
    if names and (names != own or LIST_NAME not in names):
        strange = next((name for name in names if name not in own), names[0])
        raise FileExistsError(
            f'--out {out} holds {strange}, which is no part of an earlier result: choose another '
            'folder, or empty this one. Nothing was written'
        )


def write_list(path: Path, names: Iterable[str], clusters: np.ndarray) -> None:
    """Write a line for each image, ``path,cluster``; the file is there whole or not at all.

    Names that a spreadsheet would take for a formula begin with ``./``.
    """
    unfinished = path.with_name(f'.{path.name}')
    # Names that are no UTF-8 are written byte for byte as they are.
    with unfinished.open('w', encoding='utf-8', errors='surrogateescape', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(('path', 'cluster'))
        for name, cluster in zip(names, clusters.tolist(), strict=True):
            writer.writerow((f'./{name}' if name.startswith(_FORMULA_SIGNS) else name, cluster))
    unfinished.replace(path)


def write_gallery(
    out: Path,
    names: Sequence[str],
    clusters: np.ndarray,
    sheets: Sequence[np.ndarray],
    read: Callable[[int], np.ndarray],
    max_tiles: int,
    progress: Callable[[int, int], None],
) -> int:
    """Write the list and the contact sheets in place of those of an earlier run.

    Args:
        out (Path): The folder, see :func:`check_output`; made when missing.
        names (Sequence[str]): Paths of the N images.
        clusters (np.ndarray): (N,) int, -1 for none.
        sheets (Sequence[np.ndarray]): Images of each cluster in the order of the sheet; last the
            outliers, perhaps none.
        read (Callable): Gives the pixels of an image, (H, W, 3) uint8 RGB, by its number.
        max_tiles (int): Most images of a sheet; of more they are taken evenly.
        progress (Callable): Called with how many sheets are drawn and how many there are.

    Returns:
        int: How many sheets there are.
    """
    out.mkdir(parents=True, exist_ok=True)
    # The old pictures first: what is there after an interruption fits the list.
    for path in out.iterdir():
        if _PICTURES.fullmatch(path.name):
            path.unlink()
    write_list(out / LIST_NAME, names, clusters)
    digits = max(4, len(str(len(sheets) - 2)))
    pages = [(f'cluster_{n:0{digits}}.png', f'cluster {n}', s) for n, s in enumerate(sheets[:-1])]
    if len(sheets[-1]):
        pages.append((OUTLIERS_NAME, 'outliers', sheets[-1]))
    for number, (name, label, members) in enumerate(pages, start=1):
        count = len(members)
        places = np.linspace(0, count - 1, min(max_tiles, count)).round().astype(int)
        shown = members[places].tolist()
        title = f'{label}: {count} image{"s"[: count > 1]}'
        if len(shown) < count:
            title += f', {len(shown)} shown'
        figure = draw_contact_sheet(map(read, shown), title, [names[index] for index in shown])
        write_png(figure, out / name)
        progress(number, len(pages))
    return len(pages)

"""Data sets with as many names as LUPerson and nearly no pictures."""

import os
import pickle
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import lmdb
import numpy as np

LUPERSON = 4_180_243
_CROPS_PER_FOLDER = 1000
# A file system such as ext4 gives a file 65,000 names.
_LINKS_PER_FILE = 50_000
_PER_TRANSACTION = 200_000
_MAP_SIZE = 1 << 40


def write_lmdb(root: Path, num_images: int) -> None:
    """Write an LMDB in the layout of LUPerson whose values are three tiny pictures.

    Args:
        root (Path): New folder.
        num_images (int): Number of keys.
    """
    payloads = [_payload(shade) for shade in (40, 120, 200)]
    (root / 'lmdb').mkdir(parents=True)
    keys = [
        f'{number // 500:06d}_{number % 500:04d}_{number:08d}.jpg' for number in range(num_images)
    ]
    with lmdb.open(str(root / 'lmdb'), map_size=_MAP_SIZE) as environment:
        entries = ((key.encode(), payloads[i % 3]) for i, key in enumerate(keys))
        while part := list(islice(entries, _PER_TRANSACTION)):
            with environment.begin(write=True) as transaction:
                transaction.cursor().putmulti(part, append=True)
    with open(root / 'keys.pkl', 'wb') as file:
        pickle.dump({'keys': keys, 'pids': [number // 500 for number in range(num_images)]}, file)


def write_folder(root: Path, num_images: int) -> None:
    """Write folders of links to a few tiny pictures.

    Args:
        root (Path): New folder.
        num_images (int): Number of names, 1000 in a folder.
    """
    root.mkdir(parents=True)
    names = _crop_names(num_images)
    payload: Path | None = None
    for number, name in enumerate(names):
        path = root / name
        if number % _CROPS_PER_FOLDER == 0:
            path.parent.mkdir()
        if payload is None or number % _LINKS_PER_FILE == 0:
            path.write_bytes(_payload(number // _LINKS_PER_FILE % 256))
            payload = path
        else:
            os.link(payload, path)


def _crop_names(num_images: int) -> Iterator[str]:
    for number in range(num_images):
        yield f'{number // _CROPS_PER_FOLDER:05d}/{number:08d}.jpg'


def _payload(shade: int) -> bytes:
    return cv2.imencode('.jpg', np.full((16, 8, 3), shade, np.uint8))[1].tobytes()

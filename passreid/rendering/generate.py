"""Writes a synthetic data set to disk, once."""

import csv
import hashlib
import json
import multiprocessing
import os
import os.path as osp
import shutil
from dataclasses import asdict
from functools import partial
from pathlib import Path

import cv2
from filelock import FileLock
from mmengine.logging import MMLogger
from rich.progress import track

from .picture import render
from .plan import PlannedFile, SyntheticSettings, plan_files

# Part of the name of every generated folder: raise it with any change that alters pixels.
GENERATOR_VERSION = '2'
RECORD = 'generation.json'
UNLABELLED_PIDS = 'unlabelled_pids.csv'
_CHUNK = 64


def generate_synthetic(
    data_root: str | Path, settings: SyntheticSettings, num_workers: int | None = None
) -> Path:
    """Return the folder of a synthetic data set, generated when it is not there yet.

    The folder is ``<data_root>/<domain>/<digest>``; the digest stands for settings and generator
    version, so different ones never mix. Processes that ask at the same time wait for the first
    one. A generation that was killed leaves only a temporary folder, which the next one removes.

    Args:
        data_root: Where synthetic data sets are kept.
        settings: What to generate.
        num_workers: Processes that render; the pictures do not depend on it. Defaults to None,
            which means one for each usable core.

    Returns:
        The complete folder.

    Raises:
        PermissionError: When ``data_root`` cannot be written.
    """
    record = {'generator_version': GENERATOR_VERSION, **asdict(settings)}
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:12]
    parent = Path(data_root) / settings.domain
    folder = parent / digest
    if (folder / RECORD).is_file():
        return folder
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with FileLock(parent / f'{digest}.lock'):
            if not (folder / RECORD).is_file():
                _generate(folder, settings, record, num_workers)
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise PermissionError(
            f'cannot generate the synthetic data set in {parent}: {error.strerror}. Choose a '
            'folder that can be written with data_root'
        ) from error
    return folder


def _generate(
    folder: Path, settings: SyntheticSettings, record: dict, num_workers: int | None
) -> None:
    """Fill a temporary folder beside the wanted one and rename it; the caller holds the lock."""
    temporary = folder.with_suffix('.incomplete')
    for left_over in (temporary, folder):
        if left_over.exists():
            shutil.rmtree(left_over)
    files = plan_files(settings)
    for name in sorted({osp.dirname(file.path) for file in files}):
        (temporary / name).mkdir(parents=True)
    MMLogger.get_current_instance().info(
        f'Generating {len(files)} synthetic pictures, once, in {folder}'
    )
    _write_pictures(temporary, files, num_workers)
    with open(temporary / UNLABELLED_PIDS, 'w', newline='') as stream:
        writer = csv.writer(stream)
        writer.writerow(('file', 'pid', 'camera'))
        writer.writerows(
            (osp.basename(file.path), file.pid, file.picture.camera + 1)
            for file in files
            if osp.dirname(file.path) == 'unlabelled'
        )
    (temporary / RECORD).write_text(json.dumps(record, indent=2) + '\n')
    os.replace(temporary, folder)


def _write_pictures(folder: Path, files: list[PlannedFile], num_workers: int | None) -> None:
    workers = num_workers or cv2.getNumberOfCPUs()
    # People are cached while rendering, so each process gets runs of pictures of one person.
    files = sorted(files, key=lambda file: (file.pid, file.picture.index))
    chunks = [files[start : start + _CHUNK] for start in range(0, len(files), _CHUNK)]
    write = partial(_write_chunk, folder)
    show = partial(track, total=len(chunks), description='Rendering', transient=True)
    # A worker process of a data loader may not have children of its own.
    if workers == 1 or multiprocessing.current_process().daemon:
        for _ in show(map(write, chunks)):
            pass
        return
    with multiprocessing.Pool(min(workers, len(chunks)), cv2.setNumThreads, (0,)) as pool:
        for _ in show(pool.imap_unordered(write, chunks)):
            pass


def _write_chunk(folder: Path, files: list[PlannedFile]) -> None:
    for file in files:
        image, quality = render(file.picture)
        _, encoded = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        (folder / file.path).write_bytes(encoded.tobytes())

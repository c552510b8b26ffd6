"""What is measured of a data set with millions of names, each in processes of its own."""

import resource
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from process_health import read_health
from torch.utils.data import DataLoader

from passreid.datasets import LUPerson
from passreid.datasets.samplers import ResumableSampler
from passreid.registry import TRANSFORMS
from passreid.utils import register_all_modules

BATCH = 256


@dataclass(frozen=True)
class Start:
    """Seconds, and bytes at the peak and kept, that opening a data set takes."""

    seconds: float
    peak: int
    kept: int


@dataclass(frozen=True)
class Workers:
    """Mean bytes of memory of the workers of a data loader.

    Attributes:
        own: Pages that a worker alone has written to, after a part of what it reads.
        growth: What it wrote to while it read the rest.
    """

    own: float
    growth: float


def measure_start(root: str) -> Start:
    """Open a data set in a new process.

    Args:
        root (str): Its folder.
    """
    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:
        return pool.submit(_start, root).result()


def _start(root: str) -> Start:
    register_all_modules()
    before, peak = read_health().own, _peak()
    begun = time.perf_counter()
    dataset = LUPerson(root)
    len(dataset)
    seconds = time.perf_counter() - begun
    return Start(seconds, _peak() - peak, read_health().own - before)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure_workers(root: str, method: str, num_workers: int, num_samples: int) -> Workers:
    """Read samples in shuffled order, in a new process with workers.

    Args:
        root (str): Folder of the data set.
        method (str): How workers start: 'fork' or 'spawn'.
        num_workers (int): How many.
        num_samples (int): Samples to read, whose pictures are decoded.
    """
    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:
        return pool.submit(_workers, root, method, num_workers, num_samples).result()


def _workers(root: str, method: str, num_workers: int, num_samples: int) -> Workers:
    register_all_modules()
    dataset = LUPerson(root, pipeline=[TRANSFORMS.build(dict(type='LoadPersonImage')), _shape])
    batches = iter(open_loader(dataset, num_workers, method, replacement=num_samples))
    # Until every worker has loaded what it needs once.
    settle, total = num_samples // BATCH // 4, num_samples // BATCH
    for _ in range(settle):
        next(batches)
    early = _own_of_workers(batches)
    for _ in range(total - settle - 2 * num_workers):
        next(batches)
    late = _own_of_workers(batches)
    return Workers(float(early.mean()), float((late - early).mean()))


def open_loader(
    dataset: LUPerson,
    num_workers: int,
    method: str = 'fork',
    replacement: int | None = None,
    **of_sampler,
) -> DataLoader:
    """Return a loader of a data set in shuffled order.

    Args:
        dataset (LUPerson): The data set.
        num_workers (int): Number of workers.
        method (str): How they start.
        replacement (int, optional): Draw so many samples with replacement, for small data sets.
        **of_sampler: Of :class:`ResumableSampler`.
    """
    sampler = ResumableSampler(dataset, seed=0, **of_sampler)
    if replacement is not None and replacement > len(dataset):
        sampler = np.random.default_rng(0).integers(len(dataset), size=replacement).tolist()
    return DataLoader(
        dataset,
        BATCH,
        sampler=sampler,
        num_workers=num_workers,
        multiprocessing_context=method if num_workers else None,
        collate_fn=np.array,
    )


def _own_of_workers(batches: Iterator) -> np.ndarray:
    return np.array([read_health(worker.pid).own for worker in batches._workers])


def _shape(sample: dict) -> tuple[int, ...]:
    return sample['img_shape']

"""Figures of the processes of a training, over its course."""

import os
import time
from pathlib import Path

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner
from process_health import ProcessHealth, read_health, shared_memory_files

FIGURES = (
    'memory of the main process, MiB',
    'memory of the workers, MiB',
    'open files',
    'threads',
    'files in shared memory',
    'images per second',
)


class HealthHook(Hook):
    """Note figures of the main process and of the workers every few iterations.

    Args:
        interval (int): Iterations between two notes.
    """

    # After everything else that belongs to an iteration.
    priority = 'LOWEST'

    def __init__(self, interval: int) -> None:
        self.interval = interval
        self.rows: list[tuple[float, ...]] = []

    def before_train(self, runner: Runner) -> None:
        """Start the clock."""
        self._time = time.perf_counter()

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Note."""
        iteration = runner.iter + 1
        if iteration % self.interval:
            return
        now = time.perf_counter()
        images = self.interval * runner.train_dataloader.batch_size
        main = read_health()
        children = _children()
        workers = [health for pid in children if (health := _health(pid)) is not None]
        figures = (
            main.own / 2**20,
            sum(worker.own for worker in workers) / 2**20,
            main.files,
            main.threads,
            shared_memory_files([os.getpid(), *children]),
            images / (now - self._time),
        )
        self.rows.append((iteration, *figures))
        # What it took to note is not the training's.
        self._time = time.perf_counter()

    def table(self) -> np.ndarray:
        """Return the notes, (N, 7) float64: iteration and the figures in the order of FIGURES."""
        return np.array(self.rows, float)


def _children() -> list[int]:
    path = Path('/proc/self/task') / str(os.getpid()) / 'children'
    return [int(pid) for pid in path.read_text().split()]


def _health(pid: int) -> ProcessHealth | None:
    try:
        return read_health(pid)
    # It has just ended.
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return None

"""Runs of ``tools/train.py`` as users start them, in groups of processes that get signals."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from killed_runs import DEADLINE, SEEN

ROOT = Path(__file__).parents[1]
LAUNCHER = ['-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2']


class Program:
    """A training in a session of its own.

    Args:
        config (Path): A config in whose hooks there is ``SeenBatches``.
        work_dir (Path): Its work directory.
        in_two (bool): Whether torchrun starts it, in two processes.
    """

    def __init__(self, config, work_dir, in_two=False):
        self.seen = Path(work_dir) / SEEN
        paths = [str(ROOT / 'tests'), os.environ.get('PYTHONPATH')]
        command = [str(ROOT / 'tools' / 'train.py'), str(config), '--resume']
        if in_two:
            command = [*LAUNCHER, *command, '--launcher', 'pytorch']
        self.process = subprocess.Popen(
            [sys.executable, *command],
            env=os.environ
            | {
                'OMP_NUM_THREADS': '1',
                'CUDA_VISIBLE_DEVICES': '',
                'PYTHONPATH': os.pathsep.join(filter(None, paths)),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def wait_for(self, iterations):
        """Wait until so many iterations were begun, counted over all attempts and processes."""
        end = time.monotonic() + DEADLINE
        while not self.seen.exists() or self.seen.read_text().count('\n') < iterations:
            assert time.monotonic() < end and self.process.poll() is None, self.end()
            time.sleep(0.005)

    def descendants(self):
        """Return the numbers of the processes that the program or one of these has started."""
        found = children(self.process.pid)
        for pid in found:
            found += children(pid)
        return found

    def end(self):
        """Return exit status and output."""
        try:
            output, _ = self.process.communicate(timeout=DEADLINE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise
        return self.process.returncode, output


def alive(pids):
    """Return those of some processes that have not ended."""
    return [pid for pid in pids if _field(pid, 0) not in (None, 'Z')]


def children(parent):
    """Return the numbers of the processes that a process has started."""
    pids = [int(path.name) for path in Path('/proc').iterdir() if path.name.isdigit()]
    return [pid for pid in pids if _field(pid, 1) == str(parent)]


def _field(pid, index):
    """Return a field of what the system says of a process, from its state on."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[index]
    except (FileNotFoundError, ProcessLookupError):
        return None

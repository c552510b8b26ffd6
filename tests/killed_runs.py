"""Runs in processes of their own that are killed, and what is left of them."""

import errno
import json
import multiprocessing
import os
import random
import resource
import signal
import time
import zlib
from contextlib import ExitStack, contextmanager
from pathlib import Path
from pkgutil import resolve_name
from unittest import mock

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from tiny_runs import quick_start
from torch import Tensor

from passreid.apis import build_runner
from passreid.registry import HOOKS
from passreid.utils import atomic_file
from passreid.utils.atomic_file import PARTIAL
from passreid.utils.last_checkpoint import examine, read_last_checkpoint

DEADLINE = 120
STARTED, SEEN = 'started', 'seen.jsonl'
ATOMIC = 'passreid.utils.atomic_file'
SAVING, HOOK = 'passreid.engine.hooks.safe_checkpoint_hook', 'SafeCheckpointHook'


class SignalAt:
    """Stand in for a function; before the n-th call that meets a condition there is a signal."""

    def __init__(self, function, number, signum, condition):
        self.function, self.left, self.signum, self.condition = function, number, signum, condition

    def __call__(self, *args, **kwargs):
        if self.condition(*args):
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), self.signum)
        return self.function(*args, **kwargs)


def while_writing(num_bytes, signum):
    """Return a patch that interrupts the writing; bytes are counted over all checkpoints."""
    left = num_bytes

    def write(self, data):
        nonlocal left
        data = bytes(data)
        if 0 <= left <= len(data):
            self._file.write(data[:left])
            self._file.flush()
            os.kill(os.getpid(), signum)
            data, left = data[left:], 0
        left -= len(data)
        return self._file.write(data)

    return mock.patch(f'{ATOMIC}._Witness.write', write)


def before_calling(target, condition=lambda *args: True):
    """Return a maker of patches that let a signal come before the n-th call of a function."""

    def make(number, signum):
        function = SignalAt(resolve_name(target), number, signum, condition)
        # A plain function, so that a method gets its object.
        return mock.patch(target, lambda *args, **kwargs: function(*args, **kwargs))

    return make


def _of_checkpoint(source, target):
    return str(target).endswith('.pth')


def _of_pointer(source, target):
    return str(target).endswith('last_checkpoint')


def _existing(hook, path):
    return os.path.exists(path)


# Where a run is interrupted; the number is that of the call, or of the bytes.
PLACES = {
    'writing a checkpoint': while_writing,
    'before it takes its name': before_calling(f'{ATOMIC}.os.replace', _of_checkpoint),
    'before last_checkpoint is written': before_calling(f'{SAVING}.write_last_checkpoint'),
    'writing last_checkpoint': before_calling(f'{ATOMIC}.os.replace', _of_pointer),
    'before the oldest is removed': before_calling(
        f'{SAVING}.SafeCheckpointHook._remove', _existing
    ),
    'in an iteration': before_calling('passreid.engine.RandomStateHook.before_train_iter'),
    'clustering': before_calling('passreid.engine.hooks.pseudo_label_hook.cluster_pseudo_labels'),
    'extracting': before_calling('passreid.engine.feature_extraction.read_batch'),
    'ranking': before_calling('passreid.evaluation.metrics.reid_metric.rank_features'),
}


@HOOKS.register_module()
class SeenBatches(Hook):
    """Write down the checksum of each batch, at once, and that training has begun.

    Args:
        pause (float): Seconds that an iteration takes at least.
    """

    priority = 'LOWEST'

    def __init__(self, pause=0.0):
        self.pause = pause

    def before_train(self, runner):
        Path(runner.work_dir, STARTED).touch()
        self.file = os.open(Path(runner.work_dir, SEEN), os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        line = json.dumps([runner.iter, checksum(data_batch)])
        os.write(self.file, f'{line}\n'.encode())
        time.sleep(self.pause)


def checksum(value, start=0):
    """Return a checksum of all tensors in a batch."""
    if isinstance(value, Tensor):
        return zlib.crc32(value.numpy().tobytes(), start)
    if hasattr(value, 'gt_label'):
        return checksum(value.gt_label, start)
    for part in value.values() if isinstance(value, dict) else value:
        if not isinstance(part, int | str | float):
            start = checksum(part, start)
    return start


@contextmanager
def full_disk(name, way):
    """Let there be no room for a file: after a part of it, by an error or by a limit of files."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    class Full(atomic_file._Witness):
        def write(self, data):
            if Path(self._file.name).name != f'{name}{PARTIAL}':
                return super().write(data)
            if way == 'full disk':
                if self._file.tell() > 10_000:
                    self.failure = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    raise self.failure
                return super().write(data)
            # For this file alone, since the log has to tell of it.
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
            try:
                return super().write(data)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    with mock.patch(f'{ATOMIC}._Witness', Full):
        yield


def train(config, place=None, number=1, signum=signal.SIGKILL, full=None):
    """Train as ``tools/train.py --resume`` does, and get a signal at a place."""
    output = os.open(f'{config}.log', os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    torch.set_num_threads(1)
    with ExitStack() as stack:
        stack.enter_context(quick_start())
        if place is not None:
            stack.enter_context(PLACES[place](number, signum))
        if full is not None:
            stack.enter_context(full_disk(*full))
        cfg = Config.fromfile(config)
        cfg.resume = 'auto'
        runner = build_runner(cfg)
        if not any(isinstance(hook, SeenBatches) for hook in runner.hooks):
            runner.register_hook(SeenBatches())
        runner.train()


class Run:
    """A run of a config, in as many processes as it takes, one after the other."""

    def __init__(self, config, work_dir):
        self.config, self.work_dir = str(config), Path(work_dir)
        self.context = multiprocessing.get_context('forkserver')
        self.context.set_forkserver_preload(['passreid.apis', 'killed_runs', 'sklearn.cluster'])

    def go(self, place=None, number=1, signum=signal.SIGKILL, after=None, full=None):
        """Return the exit status: 0 when the run came to its end.

        Args:
            place (str, optional): Of :data:`PLACES`, where it is to get a signal.
            number (int): See there.
            signum (int): The signal.
            after (float, optional): Seconds of training after which it is to be killed.
            full (tuple, optional): Arguments of :func:`full_disk`.
        """
        started = self.work_dir / STARTED
        started.unlink(missing_ok=True)
        arguments = self.config, place, number, signum, full
        process = self.context.Process(target=train, args=arguments)
        process.start()
        if after is not None:
            while not started.exists() and process.is_alive():
                time.sleep(0.001)
            process.join(after)
            if process.is_alive():
                process.kill()
        process.join(DEADLINE)
        if process.is_alive():
            process.kill()
            raise TimeoutError(f'{self.config} hangs at {place or "nothing"}')
        return process.exitcode

    def output(self):
        """Return what the last attempt printed."""
        return Path(f'{self.config}.log').read_text()

    def files(self):
        """Return the names of the checkpoints, none of which is damaged."""
        paths = sorted(self.work_dir.glob('*.pth'))
        for path in paths:
            assert examine(path).damage is None, path
        return [path.name for path in paths]

    def partial(self):
        """Return the names of what was left half-written."""
        return [path.name for path in self.work_dir.glob(f'*{PARTIAL}')]

    def seen(self):
        """Return the batch of each iteration, by its checksum; all attempts saw the same ones."""
        batches = {}
        for line in (self.work_dir / SEEN).read_text().splitlines():
            iteration, batch = json.loads(line)
            assert batches.setdefault(iteration, batch) == batch, iteration
        return batches

    def outcome(self):
        """Return what the last checkpoint holds that is no time."""
        path = self.work_dir / Path(read_last_checkpoint(self.work_dir)).name
        content = torch.load(path, weights_only=True)
        hub = content.pop('message_hub')
        meta = content.pop('meta')
        content['progress'] = meta['epoch'], meta['iter']
        content['losses'] = {
            name: value['history_buffer']
            for name, value in hub['log_scalars'].items()
            if 'loss' in name
        }
        content['best'] = hub['runtime_info'].get('best_score')
        return content


def assert_equal(own, expected, name=''):
    """Assert that nested values are equal, bit by bit."""
    assert type(own) is type(expected), name
    if isinstance(expected, Tensor):
        assert own.dtype == expected.dtype and torch.equal(own, expected), name
    elif isinstance(expected, dict):
        assert own.keys() == expected.keys(), name
        for key, value in expected.items():
            assert_equal(own[key], value, f'{name}.{key}')
    elif isinstance(expected, list | tuple):
        assert len(own) == len(expected), name
        for index, value in enumerate(expected):
            assert_equal(own[index], value, f'{name}.{index}')
    else:
        assert own == expected, name


def moments(seed, count, seconds):
    """Return random moments of a run that takes so long."""
    generator = random.Random(seed)
    return [generator.uniform(0, seconds) for _ in range(count)]

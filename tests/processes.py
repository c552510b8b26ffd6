"""Programs in processes of their own: started in a moment, several at a time, killed, resumed.

The processes are forked off a server that has imported everything, so that they cost what they do
and not what their imports do.
"""

import errno
import io
import itertools
import multiprocessing
import os
import runpy
import signal
import sys
import threading
import time
import zipfile
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from pkgutil import resolve_name
from unittest import mock

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from tiny_runs import quick_start
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from passreid.registry import HOOKS

ROOT = Path(__file__).parents[1]
DEADLINE = 120
MESSAGE = 'the disk of this machine burns'


class BurnsError(Exception):
    """An error that no code expects."""


def _raise(error):
    raise error


# What happens to a process.
WAYS = {
    'kill': lambda: os.kill(os.getpid(), signal.SIGKILL),
    'exit': lambda: os._exit(3),
    'terminate': lambda: os.kill(os.getpid(), signal.SIGTERM),
    'terminate parent': lambda: os.kill(os.getppid(), signal.SIGTERM),
    'terminate group': lambda: os.killpg(0, signal.SIGTERM),
    'error': lambda: _raise(BurnsError(MESSAGE)),
    'full disk': lambda: _raise(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))),
}


@HOOKS.register_module()
class Interrupt(Hook):
    """Let something of :data:`WAYS` happen to the process of a rank before it does something.

    ``before`` is the dotted name of a function, 'iteration' or 'seconds'; ``number`` says which of
    the calls or iterations, or how many seconds after the start. Of calls those alone count whose
    last argument, a path, ends with ``suffix``.
    """

    priority = 'LOWEST'

    def __init__(self, way, before, number=1, suffix='', rank=0):
        self.way, self.before, self.number, self.suffix = way, before, number, suffix
        self.rank = rank

    def before_run(self, runner):
        if get_rank() == self.rank and '.' in self.before:
            function, calls = resolve_name(self.before), itertools.count(1)

            def interrupted(*args, **kwargs):
                if str(args[-1]).endswith(self.suffix) and next(calls) == self.number:
                    if self.before == 'torch.save':
                        self._write_half(function, *args)
                    WAYS[self.way]()
                return function(*args, **kwargs)

            mock.patch(self.before, interrupted).start()

    def _write_half(self, save, content, file):
        whole = io.BytesIO()
        save(content, whole)
        file.write(whole.getvalue()[: whole.tell() // 2])
        file.flush()

    def before_train(self, runner):
        if self.before == 'seconds':
            threading.Timer(self.number, WAYS[self.way]).start()

    def before_train_iter(self, runner, *args, **kwargs):
        if get_rank() == self.rank and (self.before, self.number) == ('iteration', runner.iter + 1):
            WAYS[self.way]()


@HOOKS.register_module()
class FixedNorms(Hook):
    """Normalize by running statistics, so that a feature does not depend on its batch."""

    def before_train_iter(self, runner, *args, **kwargs):
        for module in runner.model.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.eval()


@dataclass(frozen=True)
class Ended:
    """How processes ended."""

    status: int  # Negative for a signal; of several processes 0 or 1.
    output: str
    report: str  # What torchrun says of the failure of several; '' when there was none.
    seconds: float


def run_tool(name, folder, *arguments, number=1) -> Ended:
    """Run ``tools/NAME.py`` in a folder, in ``number`` processes as torchrun does."""
    words = [str(ROOT / 'tools' / f'{name}.py'), *map(str, arguments)]
    if number == 1:
        return _run_one(folder, words)
    return _run_several(folder, number, _run_file, *words, '--launcher', 'pytorch')


def run_in_processes(program, folder, *arguments, number=2) -> None:
    """Run a program, given as source, in a folder as torchrun does, and fail when it does.

    It may import the modules beside the tests.
    """
    ended = _run_several(folder, number, _run_source, program, *arguments)
    assert ended.status == 0, ended.output + ended.report


def _run_file(path, *arguments):
    sys.argv = [path, *arguments]
    sys.path.insert(0, str(Path(path).parent))
    with quick_start():
        runpy.run_path(path, run_name='__main__')


def _run_source(source, *arguments):
    sys.argv = ['program.py', *arguments]
    exec(compile(source, 'program.py', 'exec'), {'__name__': '__main__'})


def _server():
    """Return the context of processes that are forked off a server."""
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['passreid.apis', 'sklearn.cluster', 'processes'])
    environment = {'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''}
    with mock.patch.dict(os.environ, environment):
        forkserver.ensure_running()
    return context


def _enter(folder, function, *arguments):
    os.chdir(folder)
    torch.set_num_threads(1)
    function(*arguments)


def _enter_group(output, alive, *arguments):
    # Workers inherit the pipe, so that it is closed when the last of them has ended.
    os.setpgid(0, 0)
    for descriptor in (1, 2):
        os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
    _enter(*arguments)


def _run_one(folder, words):
    output, start = folder / f'output_{time.monotonic_ns()}.txt', time.monotonic()
    context = _server()
    reader, writer = context.Pipe(duplex=False)
    arguments = output, writer, folder, _run_file, *words
    process = context.Process(target=_enter_group, args=arguments)
    process.start()
    writer.close()
    process.join(DEADLINE)
    if process.is_alive():
        process.kill()
        raise TimeoutError(output.read_text())
    assert reader.poll(10), 'a worker outlives its process'
    return Ended(process.exitcode, output.read_text(), '', time.monotonic() - start)


def _run_several(folder, number, function, *arguments):
    _server()
    folder.mkdir(exist_ok=True)
    logs, report = folder / f'logs_{time.monotonic_ns()}', ''
    config = LaunchConfig(
        1,
        1,
        number,
        run_id=str(time.monotonic_ns()),
        rdzv_backend='c10d',
        rdzv_endpoint='127.0.0.1:0',
        local_addr='127.0.0.1',
        max_restarts=0,
        start_method='forkserver',
        logs_specs=DefaultLogsSpecs(log_dir=str(logs), redirects=Std.ALL),
    )
    handlers = {name: signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGINT)}
    start = time.monotonic()
    try:
        with mock.patch.dict(os.environ, OMP_NUM_THREADS='1'):
            elastic_launch(config, _enter)(str(folder), function, *arguments)
    except ChildFailedError as error:
        report = str(error)
    finally:
        for name, handler in handlers.items():
            signal.signal(name, handler)
    output = '\n'.join(path.read_text() for path in sorted(logs.rglob('std*.log')))
    return Ended(bool(report), output, report, time.monotonic() - start)


class TrainingRun:
    """The training of a config, in as many attempts as it takes, with a folder to run in.

    The config is written into it, and its work directory lies there, both under one name.
    """

    def __init__(self, cfg, folder, name):
        self.cfg, self.folder, self.name, self.work_dir = cfg, folder, name, folder / name
        cfg.work_dir = str(self.work_dir)
        cfg.custom_imports.imports.append('processes')

    def write(self, *interruptions) -> str:
        """Write the config, with arguments of :class:`Interrupt`, and return its name."""
        cfg = self.cfg.copy()
        hooks = [dict(type='Interrupt', **entries) for entries in interruptions]
        cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), *hooks]
        cfg.dump(self.folder / f'{self.name}.py')
        return f'{self.name}.py'

    def go(self, *interruptions, **options) -> Ended:
        """Start or resume; see :meth:`write` and :func:`run_tool`."""
        return run_tool('train', self.folder, self.write(*interruptions), '--resume', **options)

    def checkpoints(self) -> list[str]:
        """Return the names of the checkpoints, all of which are whole."""
        paths = sorted(self.work_dir.glob('*.pth'))
        for path in paths:
            with zipfile.ZipFile(path) as archive:
                assert archive.testzip() is None, path
        return [path.name for path in paths]

    def last(self) -> dict:
        """Return the content of the checkpoint that the run would be resumed from."""
        path = (self.work_dir / 'last_checkpoint').read_text().strip()
        return torch.load(path, weights_only=True)

    def assert_ends_as(self, other) -> None:
        """Assert that this run ended with the files and, bit by bit, the values of another."""
        # Nothing half-written is left.
        assert {path.suffix for path in self.work_dir.glob('*.*')} <= {'.py', '.pth', '.png'}
        assert self.checkpoints() == other.checkpoints()
        own, expected = self.last(), other.last()
        for content in (own, expected):
            hub, meta = content.pop('message_hub'), content.pop('meta')
            content['progress'] = meta['epoch'], meta['iter']
            content['best'] = hub['runtime_info'].get('best_score')
            scalars = hub['log_scalars'].items()
            content['losses'] = {name: value for name, value in scalars if 'loss' in name}
        assert_equal(own, expected)


def assert_equal(own, expected, name=''):
    """Assert that nested values are equal, bit by bit."""
    assert type(own) is type(expected), name
    if isinstance(expected, torch.Tensor):
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

"""Jobs of several processes under the agent of torchrun, started within a moment.

The processes are forked off a server that has imported everything, so that a job costs what its
processes do, not what their imports do.
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, record
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

_PRELOADED = ['passreid.apis', 'process_runs', 'sklearn.cluster']
# Set by the processes of a job, for the moment at which one of them dies.
MOMENT = 'moment_of_death'


@dataclass(frozen=True)
class Job:
    """How a job ended.

    Attributes:
        seconds (float): How long it took.
        report (str): What torchrun says of the failure; '' when there was none.
        root_cause (str): The part of it that is about the process which failed first.
        output (str): What all processes printed.
        seconds_after_death (float, optional): From the moment in the file :data:`MOMENT`.
    """

    seconds: float
    report: str
    root_cause: str
    output: str
    seconds_after_death: float | None


def run_job(function: Callable, folder: Path, *arguments: Any, number: int = 2) -> Job:
    """Run a function in several processes as torchrun does.

    Args:
        function (Callable): Of a module, so that it can be named to another process.
        folder (Path): Where the processes run.
        *arguments (Any): Of the function.
        number (int): How many processes.
    """
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(_PRELOADED)
    folder.mkdir(exist_ok=True)
    logs = folder / f'logs_{time.monotonic_ns()}'
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=number,
        run_id=str(time.monotonic_ns()),
        rdzv_backend='c10d',
        rdzv_endpoint='127.0.0.1:0',
        local_addr='127.0.0.1',
        max_restarts=0,
        start_method='forkserver',
        logs_specs=DefaultLogsSpecs(log_dir=str(logs), redirects=Std.ALL),
    )
    environment = {'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''}
    handlers = {name: signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGINT)}
    report = root_cause = ''
    start = time.monotonic()
    try:
        with mock.patch.dict(os.environ, environment):
            elastic_launch(config, _enter)(function, str(folder), *arguments)
    except ChildFailedError as error:
        report = str(error)
        root_cause = str(error.get_first_failure()[1].message)
    finally:
        for name, handler in handlers.items():
            signal.signal(name, handler)
    end = time.monotonic()
    moment = folder / MOMENT
    return Job(
        seconds=end - start,
        report=report,
        root_cause=root_cause,
        output='\n'.join(path.read_text() for path in sorted(logs.rglob('std*.log'))),
        seconds_after_death=end - float(moment.read_text()) if moment.exists() else None,
    )


@record
def _enter(function: Callable, folder: str, *arguments: Any) -> None:
    os.chdir(folder)
    function(*arguments)


def mark_death() -> None:
    """Write down, in the folder of the job, that a process is about to die."""
    Path(MOMENT).write_text(str(time.monotonic()))

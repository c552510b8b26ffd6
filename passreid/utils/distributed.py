"""Process groups: on machines without an accelerator, for long waits, and their clean end."""

import datetime
import gc
import os
import subprocess
import time
from collections.abc import Callable
from typing import Any, TypeVar

import torch.distributed as dist
from mmengine.dist import get_rank, get_world_size
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

_Result = TypeVar('_Result')

# Where each launcher says which process this is: rank, number of processes, local rank.
_RANK_VARIABLES = {
    'pytorch': ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID'),
    'mpi': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK'),
}


def unwrap_model(model: nn.Module) -> Any:
    """Return the model inside a distributed wrapper, or the model itself."""
    return model.module if is_model_wrapper(model) else model


def init_cpu_process_group(launcher: str, timeout: float | None = None) -> None:
    """Join the processes of a launcher through gloo.

    mmengine's own set-up selects a GPU first, whatever the backend. It leaves a group that
    exists alone, so call this before the Runner is built.

    Args:
        launcher (str): 'pytorch', 'slurm' or 'mpi'.
        timeout (float, optional): Seconds after which a collective call gives up. Defaults
            to torch's 30 minutes.

    Raises:
        RuntimeError: When the launcher did not start this process.
    """
    if dist.is_initialized():
        return
    names = _RANK_VARIABLES[launcher]
    for variable, name in zip(_RANK_VARIABLES['pytorch'], names, strict=True):
        if name not in os.environ:
            raise RuntimeError(
                f'launcher={launcher!r} needs the environment variable {name}, which torchrun '
                '(tools/dist_train.sh), srun (tools/slurm_train.sh) or mpirun set'
            )
        os.environ[variable] = os.environ[name]
    if launcher == 'slurm' and 'MASTER_ADDR' not in os.environ:
        command = ['scontrol', 'show', 'hostnames', os.environ['SLURM_JOB_NODELIST']]
        hosts = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        os.environ['MASTER_ADDR'] = hosts.split()[0]
    choose_port(launcher)
    patience = None if timeout is None else datetime.timedelta(seconds=timeout)
    dist.init_process_group('gloo', timeout=patience)


def choose_port(launcher: str) -> None:
    """Set ``MASTER_PORT``, where all processes meet, unless it is set.

    Jobs of Slurm that share a machine get ports of their own: one from 15000 to 29999, by the
    numbers of job and step. Otherwise it is 29500.

    Args:
        launcher (str): 'pytorch', 'slurm' or 'mpi'.
    """
    job, step = (os.environ.get(name, '') for name in ('SLURM_JOB_ID', 'SLURM_STEP_ID'))
    port = 29500
    if launcher == 'slurm' and job.isdecimal():
        port = 15000 + (int(job) + (int(step) if step.isdecimal() else 0)) % 15000
    os.environ.setdefault('MASTER_PORT', str(port))


def run_in_first(work: Callable[[], _Result], what: str, timeout: float, argument: str) -> _Result:
    """Let the first process do some work, and return its result in all; all must call this.

    The others wait in a group of their own. The time-out of the usual one (10 minutes with NCCL)
    is there to notice that a process hangs; longer work would end the run.

    Args:
        work (Callable): Returns what can be pickled.
        what (str): What is done, for the log, such as 'Clustering 12936 images'.
        timeout (float): Seconds that the others wait.
        argument (str): Where a user sets that.

    Returns:
        Any: The result, in every process.

    Raises:
        Exception: What the work raised, in every process.
        TimeoutError: When it took longer; names ``argument``.
    """
    if get_world_size() == 1:
        return work()
    group: Any = dist.new_group(backend='gloo', timeout=datetime.timedelta(seconds=timeout))
    outcome: list[Any] = [None, None]
    if get_rank() == 0:
        print_log(f'{what}; the other processes wait, up to {timeout:g} s ({argument})', 'current')
        try:
            outcome[0] = work()
        except Exception as error:  # The others must not wait for nothing.
            outcome[1] = error
    start = time.monotonic()
    try:
        dist.broadcast_object_list(outcome, group=group)
    except RuntimeError as error:
        if time.monotonic() - start < timeout:
            raise
        raise TimeoutError(f'{what} takes longer than {timeout:g} s: raise {argument}') from error
    finally:
        dist.destroy_process_group(group)
    result, failure = outcome
    if failure is not None:
        raise failure
    return result


def close_process_group(runner: Runner) -> None:
    """End the process group after a run; the runner cannot be used any more.

    With gloo, the threads of a wrapped model must end before their group does, or the process
    now and then aborts on exit, and no process may leave while another still needs it.

    Args:
        runner (Runner): The runner that has finished. Without a group nothing happens.
    """
    if not dist.is_initialized():
        return
    del runner.model
    gc.collect()
    if dist.get_backend() == 'gloo':
        dist.barrier()
    dist.destroy_process_group()

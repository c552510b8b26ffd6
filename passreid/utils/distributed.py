"""Process groups: on machines without an accelerator, for long waits, and their clean end."""

import gc
import os
import subprocess
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import torch.distributed as dist
from mmengine.dist import get_rank, get_world_size
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

# Where each launcher says which process this is: rank, number of processes, local rank.
_RANK_VARIABLES = {
    'pytorch': ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID'),
    'mpi': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK'),
}


def unwrap_model(model: nn.Module) -> Any:
    """Return the model inside a distributed wrapper, or the model itself."""
    return model.module if is_model_wrapper(model) else model


def init_cpu_process_group(launcher: str, timeout: float = 1800) -> None:
    """Join the processes of 'pytorch', 'slurm' or 'mpi' through gloo, before the Runner is built.

    mmengine's own set-up, which leaves a group that exists alone, selects a GPU first. A collective
    call gives up after ``timeout`` seconds.
    """
    if dist.is_initialized():
        return
    names = _RANK_VARIABLES[launcher]
    for variable, name in zip(_RANK_VARIABLES['pytorch'], names, strict=True):
        if name not in os.environ:
            raise RuntimeError(f'{name} is not set: the launcher {launcher} did not start this')
        os.environ[variable] = os.environ[name]
    if launcher == 'slurm' and 'MASTER_ADDR' not in os.environ:
        command = ['scontrol', 'show', 'hostnames', os.environ['SLURM_JOB_NODELIST']]
        os.environ['MASTER_ADDR'] = subprocess.check_output(command, text=True).split()[0]
    choose_port(launcher)
    dist.init_process_group('gloo', timeout=timedelta(seconds=timeout))


def choose_port(launcher: str) -> None:
    """Set ``MASTER_PORT``, where all processes meet, to 29500 unless it is set.

    Jobs of Slurm that share a machine get ports of their own, by the numbers of job and step.
    """
    port = 29500
    if launcher == 'slurm':
        job, step = (os.environ.get(name, '0') for name in ('SLURM_JOB_ID', 'SLURM_STEP_ID'))
        port = 15000 + (int(job) + int(step)) % 15000
    os.environ.setdefault('MASTER_PORT', str(port))


def run_in_first(work: Callable[[], Any], what: str, timeout: float, argument: str) -> Any:
    """Let the first process work, and return its result, or raise its error, in all.

    The others wait in a group of their own, for as many seconds as the user sets by ``argument``:
    the time-out of the usual one is there to notice that a process hangs. ``what`` is for the log.
    """
    if get_world_size() == 1:
        return work()
    group: Any = dist.new_group(backend='gloo', timeout=timedelta(seconds=timeout))
    outcome: list[Any] = [None, None]
    if get_rank() == 0:
        print_log(f'{what}; the other processes wait, up to {timeout:g} s ({argument})', 'current')
        try:
            outcome[0] = work()
        except Exception as error:  # The others must not wait for nothing.
            outcome[1] = error
    try:
        dist.broadcast_object_list(outcome, group=group)
    except RuntimeError as error:
        error.add_note(f'If it takes longer than {timeout:g} s ({what}), raise {argument}.')
        raise
    finally:
        dist.destroy_process_group(group)
    if outcome[1] is not None:
        raise outcome[1]
    return outcome[0]


def close_process_group(runner: Runner) -> None:
    """End the process group after a run, if there is one; the runner cannot be used any more.

    With gloo, the threads of a wrapped model must end before their group does, or the process
    now and then aborts on exit, and no process may leave while another still needs it.
    """
    if not dist.is_initialized():
        return
    del runner.model
    gc.collect()
    if dist.get_backend() == 'gloo':
        dist.barrier()
    dist.destroy_process_group()

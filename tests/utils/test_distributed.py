import os
import socket
from types import SimpleNamespace

import pytest
import torch.distributed as dist
from processes import run_in_processes

from passreid.utils import close_process_group, init_cpu_process_group
from passreid.utils.distributed import _RANK_VARIABLES, choose_port, run_in_first

SLURM = ('SLURM_JOB_NODELIST', 'SLURM_JOB_ID', 'SLURM_STEP_ID')


@pytest.fixture
def environment(monkeypatch):
    variables = {name for names in _RANK_VARIABLES.values() for name in names}
    for name in variables | {'MASTER_ADDR', 'MASTER_PORT', *SLURM}:
        # Set first, so that monkeypatch removes what the code under test sets.
        monkeypatch.setenv(name, '')
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.parametrize('launcher', ['pytorch', 'mpi', 'slurm'])
def test_group_of_each_launcher(environment, tmp_path, launcher):
    with pytest.raises(RuntimeError, match=_RANK_VARIABLES[launcher][0]):
        init_cpu_process_group(launcher)
    for name, value in zip(_RANK_VARIABLES[launcher], ('0', '1', '0'), strict=True):
        environment.setenv(name, value)
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        environment.setenv('MASTER_PORT', str(probe.getsockname()[1]))
    if launcher == 'slurm':
        (tmp_path / 'scontrol').write_text(
            '#!/bin/sh\n[ "$3" = "node[1-2]" ] && echo 127.0.0.1 && echo node2\n'
        )
        (tmp_path / 'scontrol').chmod(0o755)
        environment.setenv('PATH', str(tmp_path), prepend=':')
        environment.setenv('SLURM_JOB_NODELIST', 'node[1-2]')
    else:
        environment.setenv('MASTER_ADDR', '127.0.0.1')
    init_cpu_process_group(launcher, timeout=20)
    try:
        init_cpu_process_group(launcher)
        assert (dist.get_backend(), dist.get_world_size(), dist.get_rank()) == ('gloo', 1, 0)
        assert run_in_first(lambda: 7, 'Counting', 0.0, 'timeout of Counter') == 7
    finally:
        close_process_group(SimpleNamespace(model=None))
    assert not dist.is_initialized()


@pytest.mark.parametrize(
    ('launcher', 'given', 'port'),
    [
        ('pytorch', dict(SLURM_JOB_ID='7'), '29500'),
        ('slurm', dict(SLURM_JOB_ID='30007'), '15007'),
        ('slurm', dict(SLURM_JOB_ID='30007', SLURM_STEP_ID='2'), '15009'),
        ('slurm', dict(SLURM_JOB_ID='30007', MASTER_PORT='1234'), '1234'),
    ],
)
def test_jobs_of_slurm_have_ports_of_their_own(environment, launcher, given, port):
    for name, value in given.items():
        environment.setenv(name, value)
    choose_port(launcher)
    assert os.environ['MASTER_PORT'] == port


PROGRAM = """
import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import torch.distributed as dist
from torch.distributed.distributed_c10d import _set_pg_timeout

from passreid.utils import close_process_group, init_cpu_process_group
from passreid.utils.distributed import run_in_first


def outcome(work, timeout):
    try:
        return run_in_first(work, 'Counting', timeout, 'timeout of Counter')
    except Exception as error:
        return type(error).__name__ + ' '.join(getattr(error, '__notes__', ()))


def count():
    time.sleep(1)
    return dist.get_rank(), 1


init_cpu_process_group('pytorch')
_set_pg_timeout(timedelta(seconds=0.5), dist.group.WORLD)
lines = [outcome(count, 60), outcome(lambda: [][0], 60), outcome(count, 0.5)]
Path(f'{dist.get_rank()}.txt').write_text('\\n'.join(map(str, lines)))
_set_pg_timeout(timedelta(seconds=60), dist.group.WORLD)
close_process_group(SimpleNamespace(model=None))
"""


def test_others_wait_for_the_first_as_long_as_they_are_told(tmp_path):
    run_in_processes(PROGRAM, tmp_path)
    first, second = ((tmp_path / f'{rank}.txt').read_text().splitlines() for rank in range(2))
    # Longer than the time-out of the process group.
    assert first[0] == second[0] == '(0, 1)'
    assert first[1] == second[1] == 'IndexError'
    # The first one notices that the others have left.
    assert 'Error' in first[2] and 'timeout of Counter' in second[2]

"""The scripts that start processes, on one machine that plays several."""

import os
import socket
import subprocess
import sys

import pytest
from processes import ROOT

SRUN = """#!/bin/bash
# Starts tasks as srun does, each as if it were alone on its node.
while [[ $1 == --* ]]; do
    [[ $1 == --ntasks=* ]] && export SLURM_NTASKS=${1#*=}
    shift
done
export SLURM_JOB_ID=%s SLURM_STEP_ID=0 SLURM_NODELIST='node[1-2]' SLURM_LOCALID=0
for ((rank = 0; rank < SLURM_NTASKS; rank++)); do
    SLURM_PROCID=$rank "$@" &
    tasks+=($!)
done
for task in "${tasks[@]}"; do wait "$task" || status=$?; done
exit "${status:-0}"
"""
SCONTROL = """#!/bin/bash
[[ $* == 'show hostnames node[1-2]' ]] && printf '127.0.0.1\\nnode2\\n'
"""


# Two steps are too few for processes to ask each other every ten.
SETTINGS = dict(train_dataloader__batch_size=2, default_hooks__preemption__interval=1)


@pytest.fixture(scope='module')
def whole(tiny_run):
    """A run of two processes."""
    run = tiny_run('pre-training', **SETTINGS)
    assert run.go(number=2).status == 0
    return run


@pytest.fixture
def run(tiny_run):
    return tiny_run('pre-training', **SETTINGS)


def free_port():
    """Return a port from 15000 to 29999 that nobody has."""
    for port in range(15000 + os.getpid() % 10000, 30000):
        with socket.socket() as probe:
            if probe.connect_ex(('127.0.0.1', port)):
                return port
    raise RuntimeError('there is no free port')


def start(run, script, *arguments, **variables):
    drop = ('PORT', 'MASTER_PORT', 'MASTER_ADDR')
    given = {name: value for name, value in os.environ.items() if name not in drop}
    programs = [str(run.folder / 'bin'), os.path.dirname(sys.executable), given['PATH']]
    environment = given | {
        'CUDA_VISIBLE_DEVICES': '',
        'OMP_NUM_THREADS': '1',
        'PATH': os.pathsep.join(programs),
        'PYTHONPATH': os.pathsep.join([str(ROOT / 'tests'), str(ROOT)]),
        **variables,
    }
    return subprocess.Popen(
        ['bash', str(ROOT / 'tools' / script), *arguments],
        cwd=run.folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def end(process):
    """Wait for a program to end well."""
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output


def test_two_machines(run, whole):
    address = dict(NNODES='2', MASTER_ADDR='127.0.0.1', PORT=str(free_port()))
    config = run.write()
    machines = [
        start(run, 'dist_train.sh', config, '1', NODE_RANK=str(rank), **address)
        for rank in range(2)
    ]
    for machine in machines:
        end(machine)
    run.assert_ends_as(whole)


def test_slurm(run, whole):
    (run.folder / 'bin').mkdir()
    # The number of the job chooses the port.
    for name, program in (('srun', SRUN % (free_port() - 15000)), ('scontrol', SCONTROL)):
        (run.folder / 'bin' / name).write_text(program)
        (run.folder / 'bin' / name).chmod(0o755)
    arguments = 'partition', 'job', run.write(), str(run.work_dir)
    end(start(run, 'slurm_train.sh', *arguments, GPUS='2', GPUS_PER_NODE='1'))
    run.assert_ends_as(whole)


def test_torchrun_is_told_to_end(run, whole):
    """Its processes save one checkpoint."""
    told = dict(way='terminate parent', before='iteration', number=2, rank=1)
    process = start(run, 'dist_train.sh', run.write(told), '2')
    output, _ = process.communicate(timeout=300)
    assert process.returncode != 0
    assert output.count('Saved') == 1 and 'ProcessGroup' not in output, output
    assert run.checkpoints() == ['preempted.pth']
    assert run.go(number=2).status == 0
    run.assert_ends_as(whole)

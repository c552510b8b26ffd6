"""The scripts that start processes, on one machine that plays several."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from elastic_jobs import run_job
from process_runs import run_all
from tiny_runs import pass_config, write_crops

ROOT = Path(__file__).parents[2]
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


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder with the config of a run and with programs of Slurm."""
    root = tmp_path_factory.mktemp('launchers')
    crops = write_crops(root / 'crops', count=8)
    pass_config(ROOT, crops, root / 'run', train_dataloader__batch_size=2).dump(root / 'run.py')
    (root / 'bin').mkdir()
    # The number of the job chooses the port.
    for name, program in (('srun', SRUN % (free_port() - 15000)), ('scontrol', SCONTROL)):
        (root / 'bin' / name).write_text(program)
        (root / 'bin' / name).chmod(0o755)
    return root


@pytest.fixture(scope='module')
def expected(folder):
    """Weights of two processes of one machine."""
    job = run_job(run_all, folder, ['run'])
    assert not job.report, job.report + job.output
    return torch.load(folder / 'run' / 'epoch_2.pth', weights_only=True)['state_dict']


def free_port():
    """Return a port from 15000 to 29999 that nobody has."""
    for port in range(15000 + os.getpid() % 10000, 30000):
        with socket.socket() as probe:
            try:
                probe.bind(('127.0.0.1', port))
            except OSError:
                continue
            return port
    raise RuntimeError('there is no free port')


def start(folder, *command, **variables):
    drop = ('PORT', 'MASTER_PORT', 'MASTER_ADDR')
    given = {name: value for name, value in os.environ.items() if name not in drop}
    paths = [str(folder / 'bin'), str(Path(sys.executable).parent), given['PATH']]
    environment = given | {
        'CUDA_VISIBLE_DEVICES': '',
        'OMP_NUM_THREADS': '1',
        'MKL_NUM_THREADS': '1',
        'PATH': os.pathsep.join(paths),
        **variables,
    }
    return subprocess.Popen(
        ['bash', *command],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def end(process):
    """Return what a program printed, once it has ended well."""
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


def assert_weights(folder, expected):
    found = torch.load(folder / 'epoch_2.pth', weights_only=True)['state_dict']
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


def test_two_machines(folder, expected, tried):
    script = str(ROOT / 'tools' / 'dist_train.sh')
    command = [script, 'run.py', '1', '--work-dir', str(folder / 'machines')]
    meeting = dict(NNODES='2', MASTER_ADDR='127.0.0.1', PORT=str(free_port()))
    machines = [start(folder, *command, NODE_RANK=str(rank), **meeting) for rank in range(2)]
    for machine in machines:
        end(machine)
    assert_weights(folder / 'machines', expected)
    tried('processes', 'two machines of one process, played by one', 'weights of two processes')


def test_slurm(folder, expected, full, tried):
    script = str(ROOT / 'tools' / 'slurm_train.sh')
    command = [script, 'partition', 'job', 'run.py', str(folder / 'slurm')]
    end(start(folder, *command, GPUS='2', GPUS_PER_NODE='1'))
    assert_weights(folder / 'slurm', expected)
    tried('processes', 'Slurm, played by a script', 'weights of two processes')
    if full:
        # As a job that was put back into the queue at its end: there is nothing left to do.
        output = end(start(folder, *command, '--resume', GPUS='2', GPUS_PER_NODE='1'))
        assert 'epoch_2.pth' in output
        assert_weights(folder / 'slurm', expected)
        tried('processes', 'Slurm, played by a script: requeue', 'weights of two processes')


def test_runs_of_one_machine_keep_apart(folder, tried):
    """Also when one of them fails, which its output says."""
    script = str(ROOT / 'tools' / 'dist_train.sh')
    broken = (folder / 'run.py').read_text().replace("'crops'", "'nothing'")
    broken = broken.replace(str(folder / 'crops'), str(folder / 'nothing'))
    (folder / 'broken.py').write_text(broken)
    run = start(folder, script, 'broken.py', '1', '--work-dir', str(folder / 'broken'))
    other = start(folder, script, 'run.py', '1', '--work-dir', str(folder / 'alone'))
    output, _ = run.communicate(timeout=300)
    assert run.returncode == 1
    _, _, root_cause = output.partition('Root Cause')
    assert str(folder / 'nothing') in root_cause, output
    end(other)
    tried('processes', 'two runs at a time on one machine', 'ports of their own, own errors')


def test_death_on_another_machine(folder, full, tried):
    """The machine that is left does not wait for the one that is gone."""
    if not full:
        pytest.skip('with --full')
    script = str(ROOT / 'tools' / 'dist_train.sh')
    log = folder / 'long.txt'
    command = [script, 'run.py', '1', '--work-dir', str(folder / 'long')]
    command += ['--cfg-options', 'train_cfg.max_epochs=5000']
    meeting = dict(NNODES='2', MASTER_ADDR='127.0.0.1', PORT=str(free_port()))
    machines = [start(folder, *command, NODE_RANK=str(rank), **meeting) for rank in range(2)]
    while not list((folder / 'long').rglob('epoch_1.pth')):
        assert machines[0].poll() is None, machines[0].communicate()[0]
        time.sleep(0.5)
    (worker,) = Path(f'/proc/{machines[1].pid}/task/{machines[1].pid}/children').read_text().split()
    begin = time.monotonic()
    os.kill(int(worker), signal.SIGKILL)
    outputs = [machine.communicate(timeout=60)[0] for machine in machines]
    seconds = time.monotonic() - begin
    log.write_text('\n'.join(outputs))
    assert seconds < 60
    assert all(machine.returncode for machine in machines)
    assert 'SIGKILL' in outputs[1]
    assert 'lost the others' in outputs[0]
    tried(
        'processes',
        'death on one of two machines',
        f'both over within {10 * (seconds // 10 + 1):.0f} s',
    )

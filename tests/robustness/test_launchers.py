"""The script that starts processes, on one machine and on several."""

import os
import subprocess
import sys
from pathlib import Path

from processes import ROOT

SCRIPT = str(ROOT / 'tools' / 'dist_train.sh')


def environment(*programs, **variables):
    """Those of this process, with programs found before others."""
    drop = ('PORT', 'MASTER_PORT', 'MASTER_ADDR')
    given = {name: value for name, value in os.environ.items() if name not in drop}
    return given | {
        'CUDA_VISIBLE_DEVICES': '',
        'OMP_NUM_THREADS': '1',
        'PATH': os.pathsep.join([*map(str, programs), given['PATH']]),
        'PYTHONPATH': os.pathsep.join([str(ROOT / 'tests'), str(ROOT)]),
        **variables,
    }


def test_machine_of_several(tmp_path):
    (tmp_path / 'python').write_text('#!/bin/bash\necho "$@"\n')
    (tmp_path / 'python').chmod(0o755)
    address = dict(NNODES='2', NODE_RANK='1', MASTER_ADDR='node1', PORT='1234')
    words = ['bash', SCRIPT, 'config.py', '4', '--resume']
    said = subprocess.check_output(words, env=environment(tmp_path, **address), text=True)
    assert said.startswith(
        '-m torch.distributed.run --nnodes=2 --node_rank=1 --master_addr=node1 --master_port=1234 '
    )
    assert said.endswith('train.py config.py --launcher pytorch --resume\n')


def test_torchrun_is_told_to_end(saving_run, whole_run):
    """Its processes save one checkpoint, from which two processes go on."""
    run = saving_run('pre-training', 2)
    told = dict(way='terminate parent', before='iteration', number=3, rank=1)
    ended = subprocess.run(
        ['bash', SCRIPT, run.write(told), '2'],
        cwd=run.folder,
        env=environment(Path(sys.executable).parent),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
    )
    assert ended.returncode != 0
    assert ended.stdout.count('Saved') == 1 and 'ProcessGroup' not in ended.stdout, ended.stdout
    assert run.checkpoints() == ['iter_2.pth', 'preempted.pth']
    assert run.go(number=2).status == 0
    run.assert_ends_as(whole_run('pre-training', 2))

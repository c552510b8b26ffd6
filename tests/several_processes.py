"""Programs in several processes, on the CPU."""

import os
import subprocess
import sys
from pathlib import Path


def run_in_processes(program, folder, *arguments, number=2):
    """Run a program as a launcher would, and fail when it does.

    Args:
        program (str): Its source. It may import the modules beside the tests.
        folder (Path): Where it is written and runs.
        *arguments (str): Of the program.
        number (int): How many processes.
    """
    (folder / 'program.py').write_text(program)
    launcher = [sys.executable, '-m', 'torch.distributed.run', '--standalone']
    paths = [str(Path(__file__).parent), os.environ.get('PYTHONPATH')]
    result = subprocess.run(
        [*launcher, f'--nproc_per_node={number}', 'program.py', *arguments],
        cwd=folder,
        env=os.environ
        | {
            'CUDA_VISIBLE_DEVICES': '',
            'OMP_NUM_THREADS': '1',
            'PYTHONPATH': os.pathsep.join(filter(None, paths)),
        },
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stdout + result.stderr

"""What importing the package does to the process: next to nothing."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import passreid

# Others first, which passreid imports and which have effects of their own.
PROGRAM = """
import importlib, json, logging, multiprocessing, os, signal, sys, warnings
import cv2, mmpretrain.apis, scipy.sparse, torch, yaml
from mmengine.fileio.io import file_handlers
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader, Runner, activation_checkpointing, checkpoint
for name in ('datasets', 'engine', 'evaluation', 'models', 'visualization'):
    importlib.import_module(f'mmpretrain.{name}')

masks = []
# Runs after the handlers of what is imported later.
os.register_at_fork(before=lambda: masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, set())))


def state():
    loaders = (yaml.SafeLoader, yaml.FullLoader, yaml.Loader, yaml.UnsafeLoader)
    return {
        'yaml': [dict(loader.yaml_constructors) for loader in loaders],
        'files': dict(file_handlers),
        'forward': activation_checkpointing.wrap_forward,
        'loading': [torch.load, checkpoint.load_checkpoint, dict(CheckpointLoader._schemes)],
        'runner': dict(vars(Runner)),
        'signals': [signal.getsignal(number) for number in signal.valid_signals()],
        'environment': dict(os.environ),
        'threads': (torch.get_num_threads(), cv2.getNumThreads()),
        'logging': (logging.getLogger().level, logging.getLogger().handlers[:]),
        'start method': multiprocessing.get_start_method(allow_none=True),
        'hooks': (sys.excepthook, sys.getrecursionlimit()),
        'scope': DefaultScope.get_current_instance(),
    }


def fork():
    pid = os.fork()
    if not pid:
        os._exit(signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, set()))
    return os.waitpid(pid, 0)[1], masks.pop()


before, filters, forked = state(), warnings.filters[:], fork()
import passreid
for name in ('apis', 'datasets', 'engine', 'evaluation', 'models', 'utils', 'visualization'):
    importlib.import_module(f'passreid.{name}')
after = state()
print(json.dumps({
    'changed': [name for name in before if before[name] != after[name]],
    'filters': [str(one[1].pattern) for one in warnings.filters if one not in filters],
    'fork': forked == fork() == (0, set()),
}))
"""


def run(program, **options):
    command = (sys.executable, '-c', program)
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_other_libraries_are_left_alone():
    found = run(PROGRAM)
    assert found['changed'] == []
    (pattern,) = found['filters']
    assert 'MultiScaleDeformableAttention' in pattern
    assert found['fork']


def test_without_configs(tmp_path):
    """As a copy of the package alone, in a container or a zip of an app, has none."""
    shutil.copytree(Path(passreid.__file__).parent, tmp_path / 'passreid')
    program = """
import json
import passreid
from passreid.utils import config_path
try:
    config_path('pass/pass_vit-s16_lup.py')
except FileNotFoundError as error:
    print(json.dumps([passreid.__file__, str(error)]))
"""
    file, message = run(program, cwd=tmp_path, env={'PYTHONPATH': str(tmp_path)})
    assert Path(file).parent == tmp_path / 'passreid'
    assert str(tmp_path / 'configs') in message

"""Importing the package changes next to nothing in the process."""

import subprocess
import sys

import pytest

# Others first, which passreid imports and which have effects of their own.
PROGRAM = """
import importlib, logging, os, signal, warnings
import cv2, mmpretrain.apis, scipy.sparse, torch, yaml
from mmengine.fileio.io import file_handlers
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader, Runner, activation_checkpointing, checkpoint
ADDED = 'hf://', 'timm://'
PARTS = ('datasets', 'engine', 'evaluation', 'models', 'visualization')


def load(package, *parts):
    for part in parts:
        importlib.import_module(f'{package}.{part}')


def state():
    loaders = yaml.SafeLoader, yaml.FullLoader, yaml.Loader, yaml.UnsafeLoader
    yield 'yaml', [dict(loader.yaml_constructors) for loader in loaders]
    schemes = CheckpointLoader._schemes.items()
    yield 'files', [dict(file_handlers), [one for one in schemes if one[0] not in ADDED]]
    yield 'loading', [torch.load, checkpoint.load_checkpoint]
    yield 'runner', [dict(vars(Runner)), activation_checkpointing.wrap_forward]
    yield 'signals', [signal.getsignal(number) for number in signal.valid_signals()]
    yield 'environment', [dict(os.environ), torch.get_num_threads(), cv2.getNumThreads()]
    yield 'logging', [logging.getLogger().level, logging.getLogger().handlers[:]]
    yield 'scope', DefaultScope.get_current_instance()
    # Other than that of the module with this class, which is imported on the way.
    filters = map(str, warnings.filters)
    yield 'warnings', [one for one in filters if 'MultiScaleDeformableAttention' not in one]


load('mmpretrain', *PARTS)
before = dict(state())
load('passreid', 'apis', 'utils', *PARTS)
assert dict(state()) == before, [name for name, value in state() if value != before[name]]
"""


@pytest.mark.slow
def test_other_libraries_are_left_alone():
    done = subprocess.run([sys.executable, '-c', PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

"""Importing the package changes next to nothing in the process."""

import json
import subprocess
import sys

import pytest

# Others first, which passreid imports and which have effects of their own.
PROGRAM = """
import importlib, json, logging, os, signal, sys, warnings
import cv2, mmpretrain.apis, scipy.sparse, torch, yaml
from mmengine.fileio.io import file_handlers
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader, Runner, activation_checkpointing, checkpoint
for name in ('datasets', 'engine', 'evaluation', 'models', 'visualization'):
    importlib.import_module(f'mmpretrain.{name}')


def state():
    loaders = (yaml.SafeLoader, yaml.FullLoader, yaml.Loader, yaml.UnsafeLoader)
    return {
        'yaml': [dict(loader.yaml_constructors) for loader in loaders],
        'files': dict(file_handlers),
        'loading': [torch.load, checkpoint.load_checkpoint, dict(CheckpointLoader._schemes)],
        'runner': [dict(vars(Runner)), activation_checkpointing.wrap_forward],
        'signals': [signal.getsignal(number) for number in signal.valid_signals()],
        'environment': dict(os.environ),
        'threads': (torch.get_num_threads(), cv2.getNumThreads()),
        'logging': (logging.getLogger().level, logging.getLogger().handlers[:]),
        'scope': DefaultScope.get_current_instance(),
    }


before, filters = state(), warnings.filters[:]
for name in ('apis', 'datasets', 'engine', 'evaluation', 'models', 'utils', 'visualization'):
    importlib.import_module(f'passreid.{name}')
after = state()
changed = [name for name in before if before[name] != after[name]]
new = [str(one[1].pattern) for one in warnings.filters if one not in filters]
print(json.dumps([changed, new]))
"""


@pytest.mark.slow
def test_other_libraries_are_left_alone():
    done = subprocess.run([sys.executable, '-c', PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    changed, filters = json.loads(done.stdout.splitlines()[-1])
    assert changed == []
    assert all('MultiScaleDeformableAttention' in pattern for pattern in filters)

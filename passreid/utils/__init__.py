"""What a run needs of its machine: files, checkpoints, processes, configs, messages."""

from passreid.registry import register_all_modules

from .checkpoint_loading import (
    UnsafeCheckpointError,
    load_checkpoint_file,
    secure_checkpoint_loading,
)
from .config import config_path
from .distributed import close_process_group, init_cpu_process_group

__all__ = [
    'UnsafeCheckpointError',
    'close_process_group',
    'config_path',
    'init_cpu_process_group',
    'load_checkpoint_file',
    'register_all_modules',
    'secure_checkpoint_loading',
]

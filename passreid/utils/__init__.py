"""Set-up of the process a run lives in."""

from .checkpoint_loading import (
    UnsafeCheckpointError,
    load_checkpoint_file,
    secure_checkpoint_loading,
)
from .configs import config_path
from .distributed import close_process_group, init_cpu_process_group
from .setup_env import register_all_modules

__all__ = [
    'UnsafeCheckpointError',
    'close_process_group',
    'config_path',
    'init_cpu_process_group',
    'load_checkpoint_file',
    'register_all_modules',
    'secure_checkpoint_loading',
]

"""What a run needs of its machine: files, checkpoints, processes, configs, messages."""

from passreid.registry import register_all_modules as register_all_modules

from .checkpoint_loading import UnsafeCheckpointError as UnsafeCheckpointError
from .checkpoint_loading import load_checkpoint_file as load_checkpoint_file
from .checkpoint_loading import secure_checkpoint_loading as secure_checkpoint_loading
from .config import config_path as config_path
from .distributed import close_process_group as close_process_group
from .distributed import init_cpu_process_group as init_cpu_process_group

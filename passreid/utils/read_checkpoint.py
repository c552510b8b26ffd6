"""Reading of a file of weights, wherever it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.runner.checkpoint import CheckpointLoader

from .checkpoint_loading import damaged_file, load_checkpoint_file, secure_checkpoint_loading


def read_checkpoint(source: str | Path) -> Mapping[str, Any]:
    """Read a file of weights without running anything it may contain.

    Args:
        source (str | Path): A local file, of torch or ``.safetensors``, or an address that mmengine
            knows (``https://...``).

    Returns:
        Mapping[str, Any]: The content, on the CPU.

    Raises:
        FileNotFoundError: When there is no such file.
        UnsafeCheckpointError: When it holds what could run code.
        RuntimeError: When it is damaged.
        TypeError: When it holds something else than weights by name.
    """
    if '://' in str(source):
        secure_checkpoint_loading()
        content = CheckpointLoader.load_checkpoint(str(source), map_location='cpu')
    elif not Path(source).is_file():
        raise FileNotFoundError(f'There is no checkpoint {source}')
    elif Path(source).suffix == '.safetensors':
        content = _read_safetensors(source)
    else:
        content = load_checkpoint_file(source)
    if not isinstance(content, Mapping):
        raise TypeError(
            f'{source} holds a {type(content).__name__}, not weights by name. Save the state_dict '
            'of the model instead of the model itself'
        )
    return content


def _read_safetensors(path: str | Path) -> Mapping[str, Any]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise ImportError(f'{path} needs an optional package: pip install safetensors') from error
    try:
        return load_file(path)
    except SafetensorError as error:
        raise damaged_file(path, str(error)) from error

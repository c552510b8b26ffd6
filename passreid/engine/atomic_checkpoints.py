"""mmengine's checkpoints, written so that none is ever seen half-written."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.runner import save_checkpoint

from passreid.utils.atomic_file import save_atomically

# Where mmengine looks up the function that writes: in the runner, and to publish a model.
_MODULES = ('mmengine.runner.runner', 'mmengine.runner')


@contextmanager
def atomic_checkpoints() -> Iterator[None]:
    """Let mmengine write local checkpoints by :func:`save_atomically`.

    It would build the whole file in memory, twice, and write it under its final name. Other
    storages (``backend_args``, ``file_client_args``, addresses) are left to it.
    """
    modules = [import_module(name) for name in _MODULES]
    before = [vars(module)['save_checkpoint'] for module in modules]
    try:
        for module in modules:
            vars(module)['save_checkpoint'] = _write
        yield
    finally:
        for module, function in zip(modules, before, strict=True):
            vars(module)['save_checkpoint'] = function


def _write(
    checkpoint: dict[str, Any],
    filename: str,
    file_client_args: dict | None = None,
    backend_args: dict | None = None,
) -> None:
    if _is_local(filename, file_client_args, backend_args):
        save_atomically(checkpoint, filename)
    else:
        save_checkpoint(checkpoint, filename, file_client_args, backend_args)


def _is_local(filename: str, file_client_args: dict | None, backend_args: dict | None) -> bool:
    if file_client_args is not None or '://' in filename:
        return False
    return isinstance(get_file_backend(filename, backend_args=backend_args), LocalBackend)

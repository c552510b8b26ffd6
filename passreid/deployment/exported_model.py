"""Exported files, ready to run."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zipfile import is_zipfile

import torch
from torch import Tensor

from passreid.utils.checkpoint_loading import damaged_file, weights_only_loading

from .export_info import ExportInfo
from .files import import_optional

# The name under which a file holds its `ExportInfo`.
INFO_KEY = 'passreid'
INFO_FILE = 'passreid.json'


@dataclass(frozen=True)
class ExportedModel:
    """What :func:`open_exported` opened; call it with images.

    Args:
        path (Path): The file.
        info (ExportInfo): What it says about itself.
        run (Callable): Takes images ``(B, 3, H, W)`` float32 and gives features ``(B, D)`` float32,
            both on the processor.
    """

    path: Path
    info: ExportInfo
    run: Callable[[Tensor], Tensor]

    def __call__(self, images: Tensor) -> Tensor:
        """Extract features.

        Args:
            images (Tensor): ``(B, 3, H, W)`` float32 RGB, see :attr:`ExportInfo.raw_input`.

        Returns:
            Tensor: ``(B, D)`` float32.

        Raises:
            ValueError: When images have another size than the file was made for.
        """
        if tuple(images.shape[2:]) != self.info.input_size:
            height, width = self.info.input_size
            raise ValueError(
                f'{self.path} takes images of {height}x{width} pixels (height x width), not '
                f'{"x".join(map(str, images.shape[2:]))}'
            )
        return self.run(images)


def open_exported(path: str | Path, num_threads: int = 0) -> ExportedModel:
    """Open a file that passreid exported; its format is told by the end of its name.

    Only open files that you trust: a graph is a program. Everything runs on the processor; other
    devices are the business of the program that the file was made for.

    Args:
        path (str | Path): ``.onnx``, ``.pt`` (TorchScript) or ``.pt2`` (``torch.export``).
        num_threads (int): Threads of onnxruntime; 0 lets it choose. In torch the threads of the
            process count. Defaults to 0.

    Returns:
        ExportedModel: Features of images, and what the file says about itself.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is of none of these formats, or not written by passreid.
        RuntimeError: When it is damaged.
        ImportError: When onnxruntime is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'There is no exported model {path}')
    if path.suffix not in _READERS:
        raise ValueError(f'{path}: an exported model ends with {", ".join(_READERS)}')
    try:
        text, run = _READERS[path.suffix](path, num_threads)
    except (ImportError, MemoryError):
        raise
    # The readers raise nearly anything.
    except Exception as error:
        raise damaged_file(path, f'{type(error).__name__}: {error}') from error
    return ExportedModel(path, _read_info(path, text), run)


def _read_info(path: Path, text: str) -> ExportInfo:
    if not text:
        raise ValueError(f'{path} does not say what it takes: it was not exported by passreid')
    try:
        return ExportInfo.from_json(text)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(
            f'{path} does not say what it takes ({error!r}): it was not exported by this or an '
            'older version of passreid'
        ) from error


def _open_onnx(path: Path, num_threads: int) -> tuple[str, Callable[[Tensor], Tensor]]:
    onnxruntime = import_optional('onnxruntime')
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    # Threads that wait busily would take the processor from whatever else the process does.
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    text = session.get_modelmeta().custom_metadata_map.get(INFO_KEY, '')
    (images_name,) = (node.name for node in session.get_inputs())

    def run(images: Tensor) -> Tensor:
        (features,) = session.run(None, {images_name: images.numpy()})
        return torch.from_numpy(features)

    return text, run


def _open_torchscript(path: Path, _: int) -> tuple[str, Callable[[Tensor], Tensor]]:
    files = {INFO_FILE: ''}
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', r'`torch\.jit\.load` is deprecated')
        module = torch.jit.load(str(path), map_location='cpu', _extra_files=files)
    return _text(files[INFO_FILE]), torch.no_grad()(module)


def _open_program(path: Path, _: int) -> tuple[str, Callable[[Tensor], Tensor]]:
    # torch would log how it tries to read it as something older.
    if not is_zipfile(path):
        raise ValueError('it is no archive')
    files = {INFO_FILE: ''}
    with weights_only_loading():
        program = torch.export.load(path, extra_files=files)
    return _text(files[INFO_FILE]), torch.no_grad()(program.module())


def _text(content: str | bytes) -> str:
    """Decode what torch gives as bytes or as text, depending on the format."""
    return content.decode() if isinstance(content, bytes) else content


_READERS = {'.onnx': _open_onnx, '.pt': _open_torchscript, '.pt2': _open_program}

"""Export to ONNX, and comparison of the file with the model it came from."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from .exportable_model import ExportableModel
from .runtimes import INFO_KEY, ExportedModel


class ExportMismatchError(RuntimeError):
    """An exported file gives other features than the model it came from."""


@torch.no_grad()
def export_onnx(
    model: ExportableModel, path: str | Path, *, opset: int = 18, images: Tensor | None = None
) -> float:
    """Write a model as one ONNX file, once it is known to give the same features.

    Input ``images`` ``(batch, 3, H, W)`` float32, output ``features`` ``(batch, D)`` float32, where
    ``batch`` is any number. The key ``passreid`` of its metadata holds :class:`ExportInfo` as JSON.

    Args:
        model (ExportableModel): The model.
        path (str | Path): The file, ``.onnx``. Weights of more than 1.5 GB go to a file beside it.
        opset (int): Version of the operators, at least 18. Defaults to 18.
        images (Tensor, optional): Real images to compare besides noise, as the model takes them.

    Returns:
        float: See :func:`verify_export`; nothing is written when it raises.
    """
    import onnx

    if opset < 18:
        raise ValueError(f'opset must be at least 18, not {opset}')
    with written_whole(path) as partial:
        # Of torch's exporters the one that takes the batch size for a variable, or fails.
        program: Any = torch.onnx.export(
            model,
            (model.info.noise(2),),  # A batch of 1 would be taken for a constant.
            dynamo=True,
            dynamic_shapes={'images': {0: torch.export.Dim('batch', max=2**31 - 1)}},
            input_names=['images'],
            output_names=['features'],
            opset_version=opset,
            verbose=False,
        )
        graph = program.model.graph
        # It notes of which files and lines of this machine each node was made.
        for node in graph.all_nodes():
            for item in filter(None, (node, *node.inputs, *node.outputs, graph)):
                item.metadata_props.clear()
        program.model.metadata_props[INFO_KEY] = model.info.to_json()
        program.save(partial)
        onnx.checker.check_model(str(partial), full_check=True)
        return verify_export(partial, model, images=images)


@torch.no_grad()
def verify_export(path: str | Path, model: ExportableModel, images: Tensor | None = None) -> float:
    """Compare the features of an exported file with torch's, for batches of noise of any size.

    Args:
        path (str | Path): The file.
        model (ExportableModel): What it was made of.
        images (Tensor, optional): More to compare, as the model takes them.

    Returns:
        float: Largest difference of a number of a feature, in units of the feature's length.

    Raises:
        ExportMismatchError: When it is more than 1e-4, or features have another shape.
    """
    exported = ExportedModel(path)
    batches = [model.info.noise(size) for size in (1, 2, 7)]
    largest = 0.0
    for batch in [*batches, images] if images is not None else batches:
        expected, features = model(batch), exported(batch)
        # The folder may be one that nobody will see.
        what = f'{exported.path.name}: features of {len(batch)} images'
        if features.shape != expected.shape:
            raise ExportMismatchError(f'{what} have shape {features.shape}, not {expected.shape}')
        unit = expected.norm(dim=1, keepdim=True)
        difference = ((features - expected) / unit).abs().max().item()
        if not difference <= 1e-4:  # So that what is not a number fails, too.
            raise ExportMismatchError(f'{what} differ from those of torch by {difference:.1e}')
        largest = max(largest, difference)
    return largest


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Give a path in another folder to write to; what lies there takes its place at the end."""
    path = Path(path)
    if path.suffix != '.onnx':
        raise ValueError(f'{path}: the name of the file must end with .onnx')
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix='.', suffix='.partial', dir=path.parent) as folder:
        yield Path(folder) / path.name
        for part in Path(folder).iterdir():
            os.replace(part, path.parent / part.name)

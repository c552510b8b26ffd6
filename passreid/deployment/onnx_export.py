"""Export to ONNX."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .exportable_model import ExportableModel
from .exported_model import INFO_KEY
from .files import import_optional, written_whole
from .verify_export import verify_export

# What protobuf can hold; the weights of a larger model go to a file beside it.
_MAX_BYTES = 2**31 - 2**20


def export_onnx(
    model: ExportableModel,
    path: str | Path,
    *,
    opset: int = 18,
    images: Tensor | None = None,
) -> float:
    """Write a model as one ONNX file, once it is known to give the same features.

    Input ``images`` ``(batch, 3, H, W)`` float32, output ``features`` ``(batch, D)`` float32, where
    ``batch`` is any number. The key ``passreid`` of its metadata holds :class:`ExportInfo` as JSON.

    torch has two exporters. Both give valid files with a dynamic batch that are equally fast
    in onnxruntime (ViT-S/16, batch 1 and 32); this uses the one on ``torch.export``: it takes the
    batch size for a variable or fails, where the older one, which torch gives up, makes constants
    of what Python computes from it. Its oldest opset, 18, is what most runtimes know, and newer
    ones are no faster.

    Args:
        model (ExportableModel): The model.
        path (str | Path): The file, ``.onnx``.
        opset (int): Version of the operators, at least 18. Defaults to 18.
        images (Tensor, optional): Real images to compare besides noise, as the model takes them.

    Returns:
        float: Largest difference of a number of a unit feature from torch's.

    Raises:
        ImportError: When onnx, onnxscript or onnxruntime is missing.
        ValueError: When the opset is too old or the name does not end with ``.onnx``.
        ExportMismatchError: When features differ by more than 1e-4; nothing is written then.
    """
    if opset < 18:
        raise ValueError(f'opset must be at least 18, not {opset}')
    onnx = import_optional('onnx')
    for name in ('onnxscript', 'onnxruntime'):
        import_optional(name)
    with written_whole(path, '.onnx') as partial:
        program = _trace(model, opset)
        graph: Any = program.model
        _forget_source(graph)
        graph.metadata_props[INFO_KEY] = model.info.to_json()
        size = sum(t.numel() * t.element_size() for t in model.state_dict().values())
        program.save(partial, external_data=size > _MAX_BYTES)
        onnx.checker.check_model(str(partial), full_check=True)
        return verify_export(partial, model, images=images)


@torch.no_grad()
def _trace(model: ExportableModel, opset: int) -> Any:
    """Return torch's ``ONNXProgram``."""
    # torch 2.7 does not trace a batch without an upper bound.
    batch = torch.export.Dim('batch', max=2**31 - 1)
    return torch.onnx.export(
        model,
        (model.example(),),
        dynamo=True,
        dynamic_shapes={'images': {0: batch}},
        input_names=['images'],
        output_names=['features'],
        opset_version=opset,
        verbose=False,
    )


def _forget_source(graph: Any) -> None:
    """Drop what the exporter notes about the origin of each node: files and lines of this machine.

    Args:
        graph (onnx_ir.Model): The model; changed in place.
    """
    for node in graph.graph.all_nodes():
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
    for value in (*graph.graph.inputs, *graph.graph.initializers.values()):
        value.metadata_props.clear()
    graph.graph.metadata_props.clear()

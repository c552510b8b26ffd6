"""Export to the formats of torch itself."""

import warnings
from pathlib import Path

import torch
from torch import Tensor

from .exportable_model import ExportableModel
from .exported_model import INFO_FILE
from .files import written_whole
from .verify_export import verify_export


@torch.no_grad()
def export_torchscript(
    model: ExportableModel, path: str | Path, *, images: Tensor | None = None
) -> float:
    """Write a model as TorchScript, for ``torch.jit.load`` in Python or C++.

    torch keeps the format and gives it up for new programs; prefer :func:`export_program`.

    Args:
        model (ExportableModel): The model.
        path (str | Path): The file, ``.pt``.
        images (Tensor, optional): Real images to compare besides noise, as the model takes them.

    Returns:
        float: Largest difference of a number of a unit feature from torch's.

    Raises:
        ValueError: When the name does not end with ``.pt``.
        ExportMismatchError: When features differ by more than 1e-4; nothing is written then.
    """
    with written_whole(path, '.pt') as partial:
        with warnings.catch_warnings():
            # The sizes that it warns of are constants here, and batches are compared below.
            warnings.simplefilter('ignore', torch.jit.TracerWarning)
            warnings.simplefilter('ignore', FutureWarning)
            warnings.simplefilter('ignore', DeprecationWarning)
            traced = torch.jit.trace(model, (model.example(),), check_trace=False)
            traced.save(str(partial), _extra_files={INFO_FILE: model.info.to_json()})
        return verify_export(partial, model, images=images)


@torch.no_grad()
def export_program(
    model: ExportableModel, path: str | Path, *, images: Tensor | None = None
) -> float:
    """Write a model by ``torch.export``, for ``torch.export.load`` and AOTInductor.

    Args:
        model (ExportableModel): The model.
        path (str | Path): The file, ``.pt2``.
        images (Tensor, optional): Real images to compare besides noise, as the model takes them.

    Returns:
        float: Largest difference of a number of a unit feature from torch's.

    Raises:
        ValueError: When the name does not end with ``.pt2``.
        ExportMismatchError: When features differ by more than 1e-4; nothing is written then.
    """
    with written_whole(path, '.pt2') as partial:
        # torch 2.7 does not trace a batch without an upper bound.
        batch = torch.export.Dim('batch', max=2**31 - 1)
        program = torch.export.export(
            model, (model.example(),), dynamic_shapes={'images': {0: batch}}
        )
        torch.export.save(program, partial, extra_files={INFO_FILE: model.info.to_json()})
        return verify_export(partial, model, images=images)

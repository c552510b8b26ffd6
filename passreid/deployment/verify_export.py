"""Comparison of an exported file with the model it came from."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from .exportable_model import ExportableModel
from .exported_model import open_exported

TOLERANCE = 1e-4


class ExportMismatchError(RuntimeError):
    """An exported file gives other features than the model it came from."""


@torch.no_grad()
def verify_export(
    path: str | Path,
    model: ExportableModel,
    batch_sizes: Sequence[int] = (1, 2, 7),
    tolerance: float = TOLERANCE,
    images: Tensor | None = None,
) -> float:
    """Run an exported file and compare its features with torch's.

    Args:
        path (str | Path): The file; see :func:`open_exported` for its formats.
        model (ExportableModel): What it was made of.
        batch_sizes (Sequence[int]): Batches of noise to compare, of other sizes than that which
            was traced (2), too. Defaults to (1, 2, 7).
        tolerance (float): Largest difference of a number of a feature, for features of unit length;
            those of another length are compared in units of it. Defaults to 1e-4.
        images (Tensor, optional): More to compare, ``(B, 3, H, W)`` float32, as the model takes
            them.

    Returns:
        float: The largest difference there was.

    Raises:
        ExportMismatchError: When it is larger than the tolerance, or the file does not run.
    """
    exported = open_exported(path)
    # The folder may be one that nobody will see.
    name = exported.path.name
    batches = [model.example(size) for size in batch_sizes]
    if images is not None:
        batches.append(images)
    largest = 0.0
    for batch in batches:
        expected = model(batch).cpu()
        try:
            features = exported(batch.cpu())
        except RuntimeError as error:
            raise ExportMismatchError(
                f'{name} does not run on {len(batch)} images: {error}'
            ) from error
        if features.shape != expected.shape:
            raise ExportMismatchError(
                f'{name}: features of {len(batch)} images have shape {tuple(features.shape)}, not '
                f'{tuple(expected.shape)}'
            )
        lengths = expected.norm(dim=1, keepdim=True)
        difference = ((features - expected).abs() / lengths).max().item()
        # Written so that what is not a number fails, too.
        if not difference <= tolerance:
            raise ExportMismatchError(
                f'{name}: features of {len(batch)} images differ from those of torch by up to '
                f'{difference:.1e}, more than {tolerance:.0e}'
            )
        largest = max(largest, difference)
    return largest

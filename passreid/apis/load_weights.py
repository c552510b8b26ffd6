"""Weights from any file into a model."""

import logging
from pathlib import Path

from mmengine.logging import print_log
from torch import nn

from passreid.models.converters import fill_model
from passreid.utils.load_report import LoadReport
from passreid.utils.read_checkpoint import read_checkpoint
from passreid.utils.unwrap import unwrap_model


def load_weights(
    model: nn.Module, path: str | Path, *, min_share: float = 0.75, strict: bool = False
) -> LoadReport:
    """Fill a model from a file, say what it got, and fail when that is too little.

    The file may be one of ours, of the authors of PASS, or of any plain ViT: see
    :func:`passreid.models.converters.fit_checkpoint`. Nothing in it is run.

    Args:
        model (nn.Module): The model; changed, also when this fails.
        path (str | Path): The file, or an address that mmengine knows.
        min_share (float): Least share of the backbone, counted in values, that has to be loaded (of
            the whole model when it has no ``backbone``). A neck or a classifier may be missing.
            Defaults to 0.75.
        strict (bool): Also fail when anything at all is missing, misshapen or unused.
            Defaults to False.

    Returns:
        LoadReport: What was loaded; its table is logged.

    Raises:
        FileNotFoundError: When there is no such file.
        UnsafeCheckpointError: When it holds what could run code.
        RuntimeError: When too little was loaded.
        ValueError: When the file holds a ViT of another kind, or for another number of parts, or
            values that are no finite floating-point numbers.

    Examples:
        >>> from passreid.apis import load_weights
        >>> from passreid.models import PartViT
        >>> model = PartViT('deit-small')
        >>> report = load_weights(model, 'dino_vits16.pth')  # doctest: +SKIP
        >>> sorted(report.initialised)[:1]  # doctest: +SKIP
        ['part_positions.0']
    """
    content = read_checkpoint(path)
    report = fill_model(unwrap_model(model), content, str(path))
    report.check(min_share)
    if strict and not report.clean:
        raise RuntimeError(f'Not everything fits (strict=True). {report.table()}')
    level = logging.INFO if report.clean else logging.WARNING
    print_log(report.table(), logger='current', level=level)
    return report

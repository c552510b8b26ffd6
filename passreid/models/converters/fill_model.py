"""Filling of a model from the content of a file."""

from collections.abc import Mapping
from typing import Any

from mmengine.runner.checkpoint import load_state_dict
from torch import nn

from passreid.utils.load_report import LoadReport
from passreid.utils.load_watch import LoadWatch, unneeded_names
from passreid.utils.weight_values import check_weights

from .recognise import fit_checkpoint
from .vit_checkpoint import below_prefix, content_of, our_names


def fill_model(
    model: nn.Module, checkpoint: Mapping[str, Any], source: str = '', prefix: str | None = None
) -> LoadReport:
    """Load what fits of a checkpoint, of whatever kind, and report.

    Nothing is raised when little or nothing fits: see :meth:`LoadReport.check`.

    Args:
        model (nn.Module): The model, without a distributed wrapper.
        checkpoint (Mapping[str, Any]): Content of a file; see :func:`fit_checkpoint`.
        source (str): The file, for the report and for errors. Defaults to ''.
        prefix (str, optional): Only weights whose names begin with it are used, without it;
            nothing is recognised then.

    Returns:
        LoadReport: What was loaded.

    Raises:
        ValueError: If the weights cannot be used: none has the prefix, they are those of a ViT
            that PartViT cannot be, or are no finite floating-point numbers.
    """
    try:
        return _fill(model, checkpoint, source, prefix)
    # A crafted or foreign file may make the conversion raise nearly anything.
    except Exception as error:
        kind = '' if isinstance(error, ValueError) else f'{type(error).__name__}: '
        file = f' of {source}' if source else ''
        raise ValueError(f'the weights{file} cannot be used: {kind}{error}') from error


def _fill(
    model: nn.Module, checkpoint: Mapping[str, Any], source: str, prefix: str | None
) -> LoadReport:
    known = model.state_dict()
    names = set(known)
    recognised = ''
    if prefix is not None:
        weights = our_names(below_prefix(checkpoint, prefix), names)
    elif fitted := fit_checkpoint(checkpoint, names):
        weights, recognised = fitted
    else:
        content = content_of(checkpoint).items()
        weights = {name.removeprefix('module.'): value for name, value in content}
    needless = unneeded_names(model) - names
    weights = {name: value for name, value in weights.items() if name not in needless}
    check_weights(weights, known)
    watch = LoadWatch(model, weights)
    load_state_dict(model, weights, strict=False, logger='silent')
    return watch.report(source, type(model).__name__, recognised)

"""The one way of weights from a file into a model."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.logging import print_log
from mmengine.runner.checkpoint import load_state_dict
from torch import Tensor, nn

from passreid.registry import TASK_UTILS
from passreid.utils.checkpoint_loading import read_checkpoint
from passreid.utils.distributed import unwrap_model

from ..layers import Grid
from .convert import convert
from .fit_part_vit import FitNotes, fit_part_vit
from .flatten import weights_below
from .positions import stated_grid
from .report import MISSHAPEN, MISSING, NOT_NEEDED, LoadReport

_COUNTER = 'num_batches_tracked'


def load_weights(
    model: nn.Module,
    path: str | Path,
    *,
    prefix: str | None = None,
    min_share: float = 0.75,
    strict: bool = False,
) -> LoadReport:
    """Fill a model from a file, say what it got, and fail when that is too little.

    The file may be one of ours, of the authors of PASS, or of any plain ViT. Nothing in it is run.

    Args:
        model (nn.Module): The model; changed, also when this fails.
        path (str | Path): The file, or an address that mmengine knows.
        prefix (str, optional): Only weights whose names begin with it are used, without it.
        min_share (float): Least share of the backbone, counted in values, that has to be loaded (of
            the whole model when it has no ``backbone``). A neck or a classifier may be missing.
        strict (bool): Also fail when anything at all is missing, misshapen or unused.

    Returns:
        LoadReport: What was loaded; its table is logged.

    Raises:
        FileNotFoundError: When there is no such file.
        UnsafeCheckpointError: When it holds what could run code.
        RuntimeError: When too little was loaded.
        ValueError: When its ViT computes something else or has another number of parts, when values
            are not finite floating-point numbers, or the grid of the positions is not clear.

    Examples:
        >>> from passreid.apis import load_weights
        >>> from passreid.models import PartViT
        >>> report = load_weights(PartViT(), 'dino_vits16.pth')  # doctest: +SKIP
    """
    report = fill_model(unwrap_model(model), read_checkpoint(path), str(path), prefix)
    report.check(min_share)
    if strict and not report.clean:
        raise RuntimeError(f'Not everything fits (strict=True). {report.table()}')
    level = logging.INFO if report.clean else logging.WARNING
    print_log(report.table(), logger='current', level=level)
    return report


@TASK_UTILS.register_module()
def fill_model(
    model: nn.Module,
    checkpoint: Mapping[str, Any],
    source: str = 'a dict',
    prefix: str | None = None,
) -> LoadReport:
    """Load what fits of the content of a file, of whatever kind; see :meth:`LoadReport.check`.

    A teacher of which the file has nothing becomes equal to its student.

    Args:
        model (nn.Module): The model, without a distributed wrapper.
        checkpoint (Mapping[str, Any]): Content of a file. It is not changed.
        source (str): The file, for the report and for errors.
        prefix (str, optional): As of :func:`load_weights`.

    Returns:
        LoadReport: What was loaded.
    """
    try:
        report = _fill(model, checkpoint, source, prefix)
    # A damaged or foreign file may make the conversion raise nearly anything.
    except Exception as error:
        kind = '' if isinstance(error, ValueError) else f'{type(error).__name__}: '
        raise ValueError(f'the weights of {source} cannot be used: {kind}{error}') from error
    meta = checkpoint.get('meta')
    owner: Any = model
    owner.pixels = meta.get('pixels') if isinstance(meta, Mapping) else None
    take_pixels(model)
    return report


@TASK_UTILS.register_module()
def take_pixels(model: Any) -> None:
    """Normalise pixels as for the weights that a model or its backbone has loaded, if wanted."""
    preprocessor: Any = getattr(model, 'data_preprocessor', None)
    owner: Any = model if hasattr(model, 'pixels') else getattr(model, 'backbone', None)
    if not (hasattr(owner, 'pixels') and getattr(preprocessor, 'pixels_of_weights', False)):
        return
    if pixels := owner.pixels:
        preprocessor.take_pixels(**pixels)
        print_log(f'Pixels are normalised as for the weights: {pixels}', 'current')
    else:
        text = 'The weights do not say how pixels were normalised for them: as the config does'
        print_log(text, 'current', logging.WARNING)


def _fill(model: Any, checkpoint: Mapping[str, Any], source: str, prefix: str | None) -> LoadReport:
    state = model.state_dict(keep_vars=True)
    own = {name: value for name, value in state.items() if not name.endswith(_COUNTER)}
    weights, remarks = convert(checkpoint, state.keys(), prefix)
    unneeded = {
        f'{owner}.{key}'.lstrip('.')
        for owner, module in model.named_modules()
        for key in getattr(module, 'unneeded_keys', ())
    }
    weights = {k: v for k, v in weights.items() if k in own or k not in unneeded}
    file_shapes = {k: tuple(v.shape) for k, v in weights.items() if not k.endswith(_COUNTER)}
    notes = _fit(weights, model, stated_grid(checkpoint))
    check_weights({k: v for k, v in weights.items() if k in own and v.shape == own[k].shape})
    versions = {name: value._version for name, value in own.items()}
    load_state_dict(model, weights, strict=False, logger='silent')
    written = {name for name, value in own.items() if value._version > versions[name]}
    if hasattr(model, 'sync_teacher') and not weights_below(weights, 'teacher.'):
        model.sync_teacher()
        written |= own.keys() & {f'teacher.{name}' for name in written}

    def reason(name: str) -> str:
        if name in notes.initialised:
            return notes.initialised[name]
        if name in file_shapes:
            return f'{MISSHAPEN}: file {file_shapes[name]} model {tuple(own[name].shape)}'
        return NOT_NEEDED if name in unneeded else MISSING

    loaded = {n: v for n, v in own.items() if n in written and n not in notes.initialised}
    initialised = {name: reason(name) for name in own if name not in loaded}
    counted = [name for name in own if 'backbone' in name.split('.')] or list(own)
    total = sum(own[name].numel() for name in counted)
    return LoadReport(
        source=source,
        model=type(model).__name__,
        loaded=tuple(loaded),
        resized={name: shapes for name, shapes in notes.resized.items() if name in loaded},
        initialised=initialised,
        merged=tuple(notes.merged),
        unused=tuple(n for n in file_shapes if n not in own and n not in notes.merged),
        share=sum(own[name].numel() for name in counted if name in loaded) / max(1, total),
        has_loaded_parameters=any(isinstance(value, nn.Parameter) for value in loaded.values()),
        expected=frozenset(
            n for n, why in initialised.items() if n in notes.initialised or why == NOT_NEEDED
        ),
        remarks=(*remarks, *dict.fromkeys(notes.remarks)),
    )


def _fit(weights: dict[str, Tensor], model: nn.Module, grid: Grid | None) -> FitNotes:
    """Fit the weights of each :class:`PartViT` of a model, in place."""
    found = FitNotes()
    for owner, module in model.named_modules():
        start = f'{owner}.' if owner else ''
        if not hasattr(module, 'part_positions') or f'{start}cls_token' not in weights:
            continue
        inner = {name: weights.pop(start + name) for name in weights_below(weights, start)}
        notes = fit_part_vit(inner, module, grid)
        weights |= {start + name: value for name, value in inner.items()}
        found.resized |= {start + name: shapes for name, shapes in notes.resized.items()}
        found.initialised |= {start + name: why for name, why in notes.initialised.items()}
        found.merged += [start + name for name in notes.merged]
        found.remarks += notes.remarks
    return found


def check_weights(weights: Mapping[str, Tensor]) -> None:
    """Raise a ValueError that names the first weight that is no finite floating-point tensor.

    torch would copy integers, truth values and NaN into a model without a word.
    """
    for problem, wrong in (
        # Batch normalisation counts its batches, in a whole number.
        ('no floating-point numbers', lambda v: not v.is_floating_point() and v.ndim > 0),
        ('not finite', lambda v: not bool(v.isfinite().all())),
    ):
        if found := [name for name, value in weights.items() if wrong(value)]:
            raise ValueError(
                f'{len(found)} of {len(weights)} weights are {problem}, the first of them '
                f'{found[0]} ({weights[found[0]].dtype}): they cannot be used'
            )

"""The one way of weights from a file into a model."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.runner.checkpoint import load_state_dict
from torch import Tensor, nn

from passreid.registry import TASK_UTILS
from passreid.utils.checkpoint_loading import read_checkpoint
from passreid.utils.distributed import unwrap_model

from .fit_part_vit import FitNotes, Shape, fit_part_vit
from .flatten import best_prefix, flatten, vit_prefixes, weights_below
from .pass_checkpoint import pass_kind, rename_pass
from .positions import stated_grid
from .vit_keys import is_part_vit_key, part_vit_key

MISSING = 'missing in the file'
MISSHAPEN = 'shape mismatch'
NOT_NEEDED = 'not needed'
_BACKBONE, _TEACHER = 'backbone.', 'teacher.backbone.'
_COUNTER = 'num_batches_tracked'
_AUTHORS = {
    'pretrain': "a pre-training checkpoint of the authors' code",
    'supervised': "a fine-tuning checkpoint of the authors' code",
    'usl': "a USL or UDA checkpoint of the authors' code",
}


@dataclass(frozen=True)
class LoadReport:
    """What a file gave a model.

    Args:
        source (str): The file.
        model (str): What was filled, such as ``'PartViT'``.
        loaded (tuple[str, ...]): Tensors of the model that come from the file.
        resized (dict[str, tuple]): Those of them that had another shape: file and model.
        initialised (dict[str, str]): The other tensors of the model and why they are not from the
            file: a few words, then perhaps a colon and particulars of the tensor.
        merged (tuple[str, ...]): Weights of the file that were multiplied into others.
        unused (tuple[str, ...]): Weights of the file that the model has no use for.
        share (float): How much of the backbone was loaded, in [0, 1], counted in values, not in
            tensors; of the whole model when it has no ``backbone``. What follows a backbone (neck,
            classifier) may well start fresh, and so may small tensors such as part tokens.
        has_loaded_parameters (bool): False when at best buffers were loaded.
        expected (frozenset[str]): Initialised tensors that the model's own rules account for:
            no reason for a warning.
        remarks (tuple[str, ...]): What the file was taken for, the grid of its positions and other
            things to know, a sentence each.

    Examples:
        >>> from passreid.models.converters import LoadReport
        >>> missing = {'b': 'missing in the file'}
        >>> report = LoadReport('a.pth', 'Net', ('w',), {}, missing, (), (), share=0.9)
        >>> print(report.table())
        1 of 2 tensors of Net loaded from a.pth
          missing in the file (initialised)    1: b
    """

    source: str
    model: str
    loaded: tuple[str, ...]
    resized: dict[str, tuple[Shape, Shape]]
    initialised: dict[str, str]
    merged: tuple[str, ...]
    unused: tuple[str, ...]
    share: float
    has_loaded_parameters: bool = True
    expected: frozenset[str] = frozenset()
    remarks: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether all was as it should be: nothing is missing, misshapen or unused."""
        return not self.unused and self.initialised.keys() <= self.expected

    def table(self, max_names: int | None = 5) -> str:
        """Return the report as text: a headline, remarks, then one row for each outcome.

        Args:
            max_names (int, optional): Names shown in each row; None shows all. Defaults to 5.
        """
        total = len(self.loaded) + len(self.initialised)
        rows: dict[str, list[str]] = {
            'resized': [f'{n} {old} -> {new}' for n, (old, new) in self.resized.items()],
            'merged into others': list(self.merged),
            f'{MISSING} (initialised)': [],
            f'{MISSHAPEN} (initialised)': [],
        }
        for name, reason in self.initialised.items():
            why, _, particulars = reason.partition(': ')
            if why != NOT_NEEDED:
                rows.setdefault(f'{why} (initialised)', []).append(f'{name} {particulars}'.strip())
        rows['unused of the file'] = list(self.unused)
        lines = [f'{len(self.loaded)} of {total} tensors of {self.model} loaded from {self.source}']
        lines += [f'  {remark}' for remark in self.remarks]
        rows = {label: names for label, names in rows.items() if names}
        width = max(map(len, rows), default=0)
        for label, names in rows.items():
            shown = names[:max_names]
            more = f', and {len(names) - len(shown)} more' if len(names) > len(shown) else ''
            lines.append(f'  {label:<{width}}{len(names):>5}: {", ".join(shown)}{more}')
        return '\n'.join(lines)

    def check(self, min_share: float = 0.0) -> None:
        """Fail when nothing, or not enough, was loaded.

        Args:
            min_share (float): Least :attr:`share`.

        Raises:
            RuntimeError: When no parameter was loaded, or less than ``min_share``.
        """
        if not self.has_loaded_parameters:
            problem = f'No parameter of {self.model} was loaded'
        elif self.share < min_share:
            problem = (
                f'Only {self.share:.1%} of the backbone (or of a model without one) was loaded, '
                f'less than min_share={min_share:g}'
            )
        else:
            return
        raise RuntimeError(
            f'{problem}. {self.table()}\nThe file is that of another model. If it holds several '
            'networks, choose one by init_cfg.prefix of the backbone; if so little is what you '
            'want, lower init_cfg.min_share there'
        )


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
            Defaults to 0.75.
        strict (bool): Also fail when anything at all is missing, misshapen or unused.
            Defaults to False.

    Returns:
        LoadReport: What was loaded; its table is logged.

    Raises:
        FileNotFoundError: When there is no such file.
        UnsafeCheckpointError: When it holds what could run code.
        RuntimeError: When too little was loaded.
        ValueError: When the file holds a ViT that computes something else, or for another number of
            parts, or values that are no finite floating-point numbers, or when the grid of its
            positions is not clear.

    Examples:
        >>> from passreid.apis import load_weights
        >>> from passreid.models import PartViT
        >>> model = PartViT('deit-small')
        >>> report = load_weights(model, 'dino_vits16.pth')  # doctest: +SKIP
        >>> sorted(report.initialised)[:1]  # doctest: +SKIP
        ['part_positions.0']
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
    """Load what fits of the content of a file, of whatever kind.

    Nothing is raised when little or nothing fits: see :meth:`LoadReport.check`.

    Args:
        model (nn.Module): The model, without a distributed wrapper.
        checkpoint (Mapping[str, Any]): Content of a file. It is not changed.
        source (str): The file, for the report and for errors.
        prefix (str, optional): As of :func:`load_weights`.

    Returns:
        LoadReport: What was loaded.

    Raises:
        ValueError: As :func:`load_weights`.
    """
    try:
        return _fill(model, checkpoint, source, prefix)
    # A crafted or foreign file may make the conversion raise nearly anything.
    except Exception as error:
        kind = '' if isinstance(error, ValueError) else f'{type(error).__name__}: '
        raise ValueError(f'the weights of {source} cannot be used: {kind}{error}') from error


def _fill(
    model: nn.Module, checkpoint: Mapping[str, Any], source: str, prefix: str | None
) -> LoadReport:
    own = _tensors(model)
    versions = {name: value._version for name, value in own.items()}
    weights, remarks = convert(checkpoint, model.state_dict().keys(), prefix)
    unneeded = {
        f'{owner}.{key}'.lstrip('.')
        for owner, module in model.named_modules()
        for key in getattr(module, 'unneeded_keys', ())
    }
    weights = {k: v for k, v in weights.items() if k in own or k not in unneeded}
    check_weights({k: v for k, v in weights.items() if _matters(k, own)})
    file_shapes = {k: tuple(v.shape) for k, v in weights.items() if not k.endswith(_COUNTER)}
    notes = _fit(weights, model, stated_grid(checkpoint))
    load_state_dict(model, weights, strict=False, logger='silent')
    written = {name for name, value in own.items() if value._version > versions[name]}

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


def convert(
    checkpoint: Mapping[str, Any], wanted: Any, prefix: str | None = None
) -> tuple[dict[str, Tensor], list[str]]:
    """Give the weights of a file the names that a model has for them.

    A model without a teacher gets the teacher's backbone of pre-training; a backbone by itself gets
    the backbone of any model. What the file has beside keeps its name, so that the report of the
    load can tell that it was not used.

    Args:
        checkpoint (Mapping[str, Any]): Content of a file.
        wanted (Collection[str]): Names of the tensors of the model.
        prefix (str, optional): As of :func:`load_weights`; nothing is recognised then.

    Returns:
        tuple[dict[str, Tensor], list[str]]: The weights, and what was recognised.
    """
    content = checkpoint.get('state_dict', checkpoint)
    if not isinstance(content, Mapping):
        raise ValueError(
            f'state_dict of the file is a {type(content).__name__}, but must be weights by name'
        )
    if prefix is None and content.keys() >= set(wanted):
        # A model of ours, or any other that has its names already.
        return {k: v for k, v in content.items() if isinstance(v, Tensor)}, []
    weights = flatten(checkpoint, prefix)
    kind = None if prefix is not None else pass_kind(checkpoint)
    if kind:
        weights = rename_pass(weights, kind)
    owners, sources = vit_prefixes(wanted), vit_prefixes(weights)
    if not (owners and sources):
        return weights, []
    recognised = _AUTHORS.get(kind or '', '')
    if not kind:
        known = {name.removeprefix(owner) for owner in owners for name in wanted}
        weights = _with_our_names(weights, sources, known)
        if _TEACHER in sources:
            recognised = 'a pre-training checkpoint'
        elif sources == ['']:
            recognised = 'a bare backbone'
    best, remark = best_prefix(sources), ''
    if not set(owners) <= set(sources) or (_TEACHER in sources and _TEACHER not in owners):
        inner = weights_below(weights, best)
        # What belongs to the student's backbone may fit as well.
        keep = best == _BACKBONE and _BACKBONE in owners
        weights = {k: v for k, v in weights.items() if keep and not k.startswith(best)}
        # A teacher that the file lacks becomes a copy of the student.
        for place in owners[:1] if _TEACHER in owners else owners:
            weights |= {place + name: value for name, value in inner.items()}
        remark = "; its teacher's backbone is used" if best == _TEACHER else ''
    return weights, [f'Recognised {recognised}{remark}.'] if recognised else []


def _with_our_names(
    weights: dict[str, Tensor], vits: list[str], known: set[str]
) -> dict[str, Tensor]:
    """Rename the weights of each ViT but for those that the model knows as they are."""
    for vit in vits:
        inner = weights_below(weights, vit)
        weights = {k: v for k, v in weights.items() if not k.startswith(vit)} | {
            vit + (k if k in known else part_vit_key(k)): v for k, v in inner.items()
        }
    return weights


def check_weights(weights: Mapping[str, Any]) -> None:
    """Make sure that weights are finite numbers, stored plainly.

    torch would copy integers, truth values and NaN into a model without a word.

    Args:
        weights (Mapping[str, Tensor]): By name. What is no tensor is passed over.

    Raises:
        ValueError: When they are not; names the first and counts the others.
    """
    tensors = {name: value for name, value in weights.items() if isinstance(value, Tensor)}
    for problem, wrong in (
        ('not stored as plain numbers in memory', _is_strange),
        ('no floating-point numbers', _is_no_float),
        ('not finite', lambda value: not bool(value.isfinite().all())),
    ):
        if found := [name for name, value in tensors.items() if wrong(value)]:
            raise ValueError(
                f'{len(found)} of {len(tensors)} weights are {problem}, the first of them '
                f'{found[0]} ({tensors[found[0]].dtype}): they cannot be used'
            )


def _is_no_float(value: Tensor) -> bool:
    # Batch normalisation counts its batches, in a whole number.
    return not value.is_floating_point() and value.ndim > 0


def _is_strange(value: Tensor) -> bool:
    if value.layout != torch.strided or value.is_quantized or value.is_meta:
        return True
    # A file of a few bytes may claim terabytes by repeating one number.
    return value.numel() * value.element_size() > value.untyped_storage().nbytes()


def _fit(weights: dict[str, Tensor], model: nn.Module, grid: tuple[int, int] | None) -> FitNotes:
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


def _matters(name: str, own: Mapping[str, Tensor]) -> bool:
    """Whether a weight of a file gets into a model, by itself or merged into others."""
    if name in own:
        return own[name].is_floating_point()
    return is_part_vit_key(name.rpartition('backbone.')[2])


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return the parameters and persistent buffers of a model by name, without counters."""
    state = model.state_dict(keep_vars=True)
    return {
        name: value
        for name, value in state.items()
        if isinstance(value, Tensor) and not name.endswith(_COUNTER)
    }

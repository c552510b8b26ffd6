"""Observation of a load."""

from collections.abc import Mapping

from torch import Tensor, nn

from .load_report import MISSHAPEN, MISSING, NOT_NEEDED, LoadNotes, LoadReport, Shape

_COUNTER = 'num_batches_tracked'


class LoadWatch:
    """Remember a model as it is before a load, and tell afterwards what the load did.

    A tensor counts as loaded when it was written to, whoever wrote: mmengine, torch, or a module
    that renames and resizes what it is given. What such a module says in ``load_notes`` (see
    :class:`LoadNotes`) is reported, and weights that a module names in ``unneeded_keys`` are not
    missed. The counters of batch normalisation, which torch writes to anyway, are left out.

    Args:
        model (nn.Module): The model that is about to be filled.
        weights (Mapping[str, Tensor]): The weights, by the names they are loaded under.

    Examples:
        >>> import torch
        >>> from passreid.utils.load_watch import LoadWatch
        >>> model, weights = torch.nn.Linear(2, 1), {'bias': torch.ones(1)}
        >>> watch = LoadWatch(model, weights)
        >>> _ = model.load_state_dict(weights, strict=False)
        >>> watch.report().initialised
        {'weight': 'missing in the file'}
    """

    def __init__(self, model: nn.Module, weights: Mapping[str, Tensor]) -> None:
        self.model = model
        self.unneeded = unneeded_names(model)
        self.file_shapes: dict[str, Shape] = {
            name.removeprefix('module.'): tuple(value.shape)
            for name, value in weights.items()
            if isinstance(value, Tensor) and not name.endswith(_COUNTER)
        }
        self.versions = {name: value._version for name, value in _tensors(model).items()}

    def report(self, source: str = '', name: str = 'the model', recognised: str = '') -> LoadReport:
        """Return what has been loaded since.

        Args:
            source (str): The file, for the report. Defaults to ''.
            name (str): The model, for the report. Defaults to ``'the model'``.
            recognised (str): What the file was taken for. Defaults to ''.
        """
        tensors = _tensors(self.model)
        notes = _collect_notes(self.model)
        written = {n for n, value in tensors.items() if value._version > self.versions[n]}
        loaded = {n: tensors[n] for n in tensors if n in written and n not in notes.initialised}
        reasons = {
            n: notes.initialised[n] if n in written else self._reason(n, value)
            for n, value in tensors.items()
            if n not in loaded
        }
        used = tensors.keys() | set(notes.merged) | self.unneeded
        return LoadReport(
            source=source,
            model=name,
            loaded=tuple(loaded),
            resized={n: shapes for n, shapes in notes.resized.items() if n in loaded},
            initialised=reasons,
            merged=tuple(n for n in notes.merged if n in self.file_shapes),
            unused=tuple(n for n in self.file_shapes if n not in used),
            share=_share(tensors, loaded),
            has_loaded_parameters=any(isinstance(v, nn.Parameter) for v in loaded.values()),
            expected=frozenset(n for n in reasons if n in written or reasons[n] == NOT_NEEDED),
            recognised=recognised,
        )

    def _reason(self, name: str, value: Tensor) -> str:
        if name not in self.file_shapes:
            return NOT_NEEDED if name in self.unneeded else MISSING
        return f'{MISSHAPEN}: file {self.file_shapes[name]} model {tuple(value.shape)}'


def unneeded_names(model: nn.Module) -> set[str]:
    """Return the weights that the modules of a model say they do without."""
    return {
        f'{owner}.{key}'.lstrip('.')
        for owner, module in model.named_modules()
        for key in getattr(module, 'unneeded_keys', ())
    }


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return the parameters and persistent buffers of a model by name."""
    state = model.state_dict(keep_vars=True)
    return {
        name: value
        for name, value in state.items()
        if isinstance(value, Tensor) and not name.endswith(_COUNTER)
    }


def _collect_notes(model: nn.Module) -> LoadNotes:
    """Put the notes of all modules together, under the names of the model."""
    found = LoadNotes()
    for owner, module in model.named_modules():
        notes = getattr(module, 'load_notes', None)
        if not isinstance(notes, LoadNotes):
            continue
        start = f'{owner}.' if owner else ''
        found.resized |= {start + name: shapes for name, shapes in notes.resized.items()}
        found.initialised |= {start + name: why for name, why in notes.initialised.items()}
        found.merged += [start + name for name in notes.merged]
    return found


def _share(tensors: dict[str, Tensor], loaded: dict[str, Tensor]) -> float:
    """Return the share of the values of the backbone, or of all, that were loaded."""
    counted = [name for name in tensors if 'backbone' in name.split('.')] or list(tensors)
    total = sum(tensors[name].numel() for name in counted)
    return sum(loaded[name].numel() for name in counted if name in loaded) / max(1, total)

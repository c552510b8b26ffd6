"""What a file gave a model."""

from dataclasses import dataclass

from .fit_part_vit import Shape

MISSING = 'missing in the file'
MISSHAPEN = 'shape mismatch'
NOT_NEEDED = 'not needed'


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
        """Return the report as text: a headline, remarks, then a row for each outcome.

        Each row shows at most ``max_names`` names; None shows all.
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
        """Raise a RuntimeError when nothing was loaded or :attr:`share` is below ``min_share``."""
        if self.has_loaded_parameters and self.share >= min_share:
            return
        problem = f'No parameter of {self.model} was loaded'
        if self.has_loaded_parameters:
            problem = (
                f'Only {self.share:.1%} of the backbone (or of a model without one) was loaded, '
                f'less than min_share={min_share:g}'
            )
        raise RuntimeError(
            f'{problem}. {self.table()}\nThe file is that of another model. If it holds several '
            'networks, choose one by init_cfg.prefix of the backbone; if so little is what you '
            'want, lower init_cfg.min_share there'
        )

"""What a file of weights gave a model."""

from dataclasses import dataclass, field

Shape = tuple[int, ...]

MISSING = 'missing in the file'
MISSHAPEN = 'shape mismatch'
NOT_NEEDED = 'not needed'


@dataclass
class LoadNotes:
    """What a module did to weights before it took them.

    A module that changes what it loads keeps one as its attribute ``load_notes``, made anew at each
    load; the report of the load reads it. Names are those inside the module.

    Args:
        resized (dict[str, tuple]): Tensor of the module to its shape in the file and now.
        initialised (dict[str, str]): Tensor that is not from the file to where it comes from.
        merged (list[str]): Weights of the file that live on in other tensors of the module.
    """

    resized: dict[str, tuple[Shape, Shape]] = field(default_factory=dict)
    initialised: dict[str, str] = field(default_factory=dict)
    merged: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class LoadReport:
    """Outcome of one load.

    Args:
        source (str): The file, or '' when whoever shows the report names it.
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
        recognised (str): What the file was taken for. Defaults to ''.

    Examples:
        >>> from passreid.utils.load_report import LoadReport
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
    recognised: str = ''

    @property
    def clean(self) -> bool:
        """Whether all was as it should be: nothing is missing, misshapen or unused."""
        return not self.unused and self.initialised.keys() <= self.expected

    def table(self, max_names: int | None = 5) -> str:
        """Return the report as text: a headline, then one row for each outcome.

        Args:
            max_names (int, optional): Names shown in each row; None shows all. Defaults to 5.
        """
        total = len(self.loaded) + len(self.initialised)
        origin = f' from {self.source}' if self.source else ''
        rows: dict[str, list[str]] = {
            'resized': [f'{n} {old} -> {new}' for n, (old, new) in self.resized.items()],
            'merged into others': list(self.merged),
            _label(MISSING): [],
            _label(MISSHAPEN): [],
        }
        for name, reason in self.initialised.items():
            why, _, particulars = reason.partition(': ')
            item = f'{name} {particulars}' if particulars else name
            if why != NOT_NEEDED:
                rows.setdefault(_label(why), []).append(item)
        rows['unused of the file'] = list(self.unused)
        lines = [f'{len(self.loaded)} of {total} tensors of {self.model} loaded{origin}']
        if self.recognised:
            lines.append(f'  {self.recognised}')
        rows = {label: names for label, names in rows.items() if names}
        width = max(map(len, rows), default=0)
        lines += [_row(label.ljust(width), names, max_names) for label, names in rows.items()]
        return '\n'.join(lines)

    def check(self, min_share: float = 0.0, advice: str = '') -> None:
        """Fail when nothing, or not enough, was loaded.

        Args:
            min_share (float): Least :attr:`share`.
            advice (str): What to do about it, the end of the message. Defaults to ''.

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
        raise RuntimeError(f'{problem}. {self.table()}' + (f'\n{advice}' if advice else ''))


def _label(why: str) -> str:
    return f'{why} (initialised)'


def _row(label: str, names: list[str], max_names: int | None) -> str:
    shown = names[:max_names]
    more = f', and {len(names) - len(shown)} more' if len(names) > len(shown) else ''
    return f'  {label}{len(names):>5}: {", ".join(shown)}{more}'

"""The figures that runs have logged."""

import ast
import json
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np

Record = dict[str, Any]
_POSITIONS = {'epoch', 'iter', 'step'}
# In records of validation these are about validation; as curves they would mix with training's.
_TIMES = {'time', 'data_time'}


class RunLog:
    """The figures of a run as series.

    Records of training have ``iter`` and, when training counts epochs, ``epoch`` (from 1). Those of
    validation have ``step`` alone: the epoch, or the iteration.

    Args:
        records (list[dict]): What was logged, in order, as
            :class:`mmengine.visualization.LocalVisBackend` writes it.
        source (str): Where it is from, for messages.

    Attributes:
        epoch_length (int): Iterations of an epoch, as far as the records tell; 0 when epochs are
            not counted.
    """

    def __init__(self, records: list[Record], source: str) -> None:
        self.source = source
        self.epoch_length = _epoch_length(records)
        self._series: dict[str, list[tuple[float, float]]] = {}
        latest: Record = {'iter': 0, 'epoch': 0}
        for record in records:
            if training := 'iter' in record:
                latest = record
            iteration = record['iter'] if training else self._end_of(record['step'], latest)
            for key in record.keys() - _POSITIONS - (set() if training else _TIMES):
                if isinstance(record[key], int | float):
                    self._series.setdefault(key, []).append((iteration, record[key]))

    @property
    def keys(self) -> list[str]:
        """Names of the figures, sorted."""
        return sorted(self._series)

    def series(self, key: str, by: str = 'iter') -> tuple[np.ndarray, np.ndarray]:
        """Return a figure over the run.

        Args:
            key (str): Its name.
            by (str): What to count: 'iter' or 'epoch' (with fractions). Defaults to 'iter'.

        Returns:
            tuple[np.ndarray, np.ndarray]: Positions and values, both (N,) float64.

        Raises:
            ValueError: When there is no such figure (the message names those there are), or the
                run counts no epochs.
        """
        if key not in self._series:
            raise ValueError(f'{self.source} has no {key!r}; it has {", ".join(self.keys)}')
        positions, values = np.array(self._series[key], dtype=float).T
        if by == 'iter':
            return positions, values
        if not self.epoch_length:
            raise ValueError(f'{self.source} counts no epochs: draw it by iteration')
        return positions / self.epoch_length, values

    def _end_of(self, step: int, latest: Record) -> int:
        """Iteration of a validation, whose step may be an epoch."""
        return step if step >= latest['iter'] else step * (self.epoch_length or 1)


def read_run_log(path: str | Path) -> RunLog:
    """Read the log of a run.

    Args:
        path (str | Path): A work directory, of which the newest run is read, with the runs that
            it resumed, without what they repeat; or the folder of one start of a run; or a
            file of one JSON object a line (``vis_data/scalars.json``).

    Returns:
        RunLog: The figures.

    Raises:
        FileNotFoundError: When there is no log.
        ValueError: When the log is empty or is not such a file.
    """
    records: list[Record] = []
    for file in _newest_run(Path(path)):
        records = _join(records, _read_lines(file))
    if not records:
        raise ValueError(f'the log of {path} has no records yet')
    return RunLog(records, str(path))


def _newest_run(path: Path) -> list[Path]:
    """List the files of the newest run, in order."""
    if path.is_file():
        return [path]
    for file in (path / 'scalars.json', path / 'vis_data' / 'scalars.json'):
        if file.is_file():
            return [file]
    # Folders are named by their time.
    files = sorted(path.glob('*/vis_data/scalars.json'))
    if not files:
        raise FileNotFoundError(f'{path} is no log and has no */vis_data/scalars.json')
    start = len(files) - 1
    while start and _is_resumed(files[start], files[start - 1]):
        start -= 1
    return files[start:]


def _is_resumed(file: Path, before: Path) -> bool:
    """Whether a run went on from an earlier one: by its config, else by its first iteration."""
    config = file.with_name('config.py')
    for node in ast.parse(config.read_text()).body if config.is_file() else ():
        # Read, not run: a config can hold any program.
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == 'resume':
            return ast.unparse(node.value) != 'False'
    return _first_iteration(_read_lines(file)) > _first_iteration(_read_lines(before))


def _read_lines(file: Path) -> list[Record]:
    records = []
    lines = file.read_text().splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            if not isinstance(record, dict) or not record.keys() & {'iter', 'step'}:
                raise ValueError('no object with "iter" or "step"')
        except ValueError as error:
            # A run that was killed while it wrote.
            if number == len(lines) and not line.endswith('\n'):
                break
            raise ValueError(f'{file}, line {number}, is no record of a log: {error}') from error
        records.append(record)
    return records


def _first_iteration(records: list[Record]) -> float:
    return min((record['iter'] for record in records if 'iter' in record), default=float('inf'))


def _join(earlier: list[Record], later: list[Record]) -> list[Record]:
    """Append the records of a resumed run, whose start may lie before the end of the earlier."""
    first = _first_iteration(later)
    repeated = {record['step'] for record in later if 'iter' not in record}
    kept = takewhile(lambda record: record.get('iter', 0) < first, earlier)
    return [r for r in kept if 'iter' in r or r['step'] not in repeated] + later


def _epoch_length(records: list[Record]) -> int:
    """Iterations of an epoch that agree with every record."""
    positions = [(r['epoch'], r['iter']) for r in records if 'iter' in r and 'epoch' in r]
    if not positions:
        return 0
    first: dict[int, int] = {}
    for epoch, iteration in positions:
        first.setdefault(epoch, iteration)
    low, high = min(first), max(first)
    at_least = max(-(-iteration // epoch) for epoch, iteration in positions)
    if low == high:
        return at_least
    # Runs log at the same iterations of every epoch.
    length = round((first[high] - first[low]) / (high - low))
    at_most = min((iteration - 1) // (epoch - 1) for epoch, iteration in positions if epoch > 1)
    return max(at_least, min(length, at_most))

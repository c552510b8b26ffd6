"""What runs have logged, as series and as curves."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# Okabe and Ito's colors, told apart by everyone; black and yellow are left out.
_COLORS = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00')
_STYLES = [
    dict(linestyle=line, color=color) for line in ('-', '--', '-.', ':') for color in _COLORS
]
_PANEL_WIDTH, _PANEL_HEIGHT = 4.6, 3.0
# Curves of so few points show each of them.
_FEW_POINTS = 40


@dataclass(frozen=True)
class Curve:
    """Values ``y`` over positions ``x``, both (N,); the label says of which run."""

    label: str
    x: np.ndarray
    y: np.ndarray


def draw_curves(
    panels: Mapping[str, Sequence[Curve]],
    x_label: str = 'iteration',
    columns: int = 2,
    title: str | None = None,
) -> Figure:
    """Draw a panel for each figure, by its heading, with one curve for each run.

    Curves of one label look the same in every panel. ``columns`` panels stand side by side;
    ``x_label`` says what the positions count.
    """
    labels = list(dict.fromkeys(curve.label for curves in panels.values() for curve in curves))
    styles = dict(zip(labels, cycle(_STYLES), strict=False))
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    longest = max(map(len, labels))
    legend_columns = max(1, min(len(labels), int(columns * _PANEL_WIDTH / (0.6 + 0.075 * longest))))
    # One curve needs no legend, nor does one run of several figures.
    legend_rows = -(-len(labels) // legend_columns) if len(labels) > 1 else 0
    height = rows * _PANEL_HEIGHT + legend_rows * 0.24 + (0.3 if title else 0)
    figure = Figure(figsize=(columns * _PANEL_WIDTH, height), layout='constrained')
    if title:
        figure.suptitle(title, fontsize=12, fontweight='bold')
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True)
    lines = {}
    for cell, (heading, curves) in zip(axes.flat, panels.items(), strict=False):
        for curve in curves:
            style = dict(styles[curve.label], linewidth=1.6, markersize=3.5)
            style['marker'] = 'o' if len(curve.x) <= _FEW_POINTS else None
            (lines[curve.label],) = cell.plot(curve.x, curve.y, **style)
        cell.set_title(heading, fontsize=10, loc='left', fontweight='bold')
        cell.set_xlabel(x_label, fontsize=9)
        cell.tick_params(labelsize=8, labelbottom=True)
        cell.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        cell.grid(color='#e3e3e3', linewidth=0.7)
        cell.set_axisbelow(True)
        cell.spines[['top', 'right']].set_visible(False)
    for cell in axes.flat[len(panels) :]:
        cell.set_axis_off()
    if legend_rows:
        place: dict[str, Any] = dict(loc='outside lower center', ncols=legend_columns)
        handles = [lines[label] for label in labels]
        figure.legend(handles, labels, frameon=False, fontsize=9, **place)
    return figure


class RunLog:
    """The figures of a run as series.

    The records are those of mmengine's ``LocalVisBackend``, in order: of training with ``iter``
    and perhaps ``epoch`` (from 1), of validation with ``step`` alone, the epoch or the iteration.
    """

    def __init__(self, records: list[dict[str, Any]], source: str) -> None:
        self.source = source
        # Iterations; 0 when epochs are not counted.
        self.epoch_length = _epoch_length(records)
        self._series: dict[str, list[tuple[float, float]]] = {}
        trained = 0
        for record in records:
            skipped = {'epoch', 'iter', 'step'}
            if 'iter' in record:
                position = trained = record['iter']
            else:
                step = record['step']
                position = step if step >= trained else step * (self.epoch_length or 1)
                # About validation; as curves they would mix with training's.
                skipped |= {'time', 'data_time'}
            for key in record.keys() - skipped:
                if isinstance(record[key], int | float):
                    self._series.setdefault(key, []).append((position, record[key]))

    @property
    def keys(self) -> list[str]:
        """Names of the figures, sorted."""
        return sorted(self._series)

    def series(self, key: str, by: str = 'iter') -> tuple[np.ndarray, np.ndarray]:
        """Return the positions, by 'iter' or 'epoch', and the values of a figure, (N,) float64."""
        if key not in self._series:
            raise ValueError(f'{self.source} has no {key!r}; it has {", ".join(self.keys)}')
        positions, values = np.array(self._series[key], dtype=float).T
        if by == 'epoch' and not self.epoch_length:
            raise ValueError(f'{self.source} counts no epochs: draw it by iteration')
        return positions / (self.epoch_length if by == 'epoch' else 1), values


def run_files(path: str | Path) -> list[Path]:
    """List the files with the figures of a run, in order.

    ``path`` is a work directory, of which the newest run is meant, with the runs that it resumed;
    or the folder of one start of a run; or its ``scalars.json``. Where there is no training, it is
    the newest test.
    """
    path = Path(path)
    single = (path, path / 'scalars.json', path / 'vis_data' / 'scalars.json')
    files = [file for file in single if file.is_file()][:1]
    # Folders are named by their time, and what a test writes as its folder.
    files = files or sorted(path.glob('*/vis_data/scalars.json'))
    tests = [*path.glob('*.json'), *path.glob('*/*.json')]
    files = files or sorted(file for file in tests if file.stem == file.parent.name)[-1:]
    if not files:
        raise FileNotFoundError(f'{path} is no log and has no */vis_data/scalars.json')
    starts = [number for number, file in enumerate(files) if not _is_resumed(file)]
    return files[starts[-1] if starts else 0 :]


def config_file(file: Path) -> Path:
    """Return where the config is with which a file of :func:`run_files` was written."""
    return file.parent / ('config.py' if file.name == 'scalars.json' else 'vis_data/config.py')


def _is_resumed(file: Path) -> bool:
    config = config_file(file)
    return config.is_file() and bool(re.search(r'(?m)^resume\s*=(?!\s*False)', config.read_text()))


def read_run_log(path: str | Path) -> RunLog:
    """Read the log of a run, joined with those that it resumed, without what they repeat.

    ``path`` is as of :func:`run_files`.
    """
    records: list[dict[str, Any]] = []
    for file in run_files(path):
        later = _read_lines(file)
        # What a resumed run repeats counts once.
        first = min((r['iter'] for r in later if 'iter' in r), default=np.inf)
        end = next((n for n, r in enumerate(records) if r.get('iter', 0) >= first), len(records))
        steps = {r['step'] for r in later if 'iter' not in r}
        records = [r for r in records[:end] if 'iter' in r or r['step'] not in steps] + later
    if not records:
        raise ValueError(f'the log of {path} has no records yet')
    return RunLog(records, str(path))


def _read_lines(file: Path) -> list[dict[str, Any]]:
    records = []
    lines = file.read_text().splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            # Tests have no steps.
            records.append({'step': 0} | json.loads(line))
        except ValueError as error:
            # A run that was killed while it wrote.
            if number < len(lines):
                raise ValueError(f'{file}, line {number}, is no JSON: {error}') from error
    return records


def _epoch_length(records: list[dict[str, Any]]) -> int:
    """Iterations of an epoch; the last of them is not always logged."""
    positions = [(r['epoch'], r['iter']) for r in records if 'iter' in r and 'epoch' in r]
    if not positions:
        return 0
    at_least = max(-(-iteration // epoch) for epoch, iteration in positions)
    # Runs log at the same iterations of every epoch.
    first = dict(reversed(positions))
    low, high = min(first), max(first)
    return max(at_least, round((first[high] - first[low]) / max(high - low, 1)))

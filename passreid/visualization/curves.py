"""Curves of training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# Okabe and Ito's colours, told apart by everyone; black and yellow are left out.
_COLOURS = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00')
_LINES = ('-', '--', '-.', ':')
_PANEL_WIDTH, _PANEL_HEIGHT = 4.6, 3.0
_LEGEND_LINE = 0.24
# Curves of so few points show each of them.
_FEW_POINTS = 40


@dataclass(frozen=True)
class Curve:
    """Values over positions; the label says of which run.

    Attributes:
        label (str): Name in the legend; curves of one label look the same in every panel.
        x (np.ndarray): Positions, (N,).
        y (np.ndarray): Values, (N,). NaN leaves a gap.
    """

    label: str
    x: np.ndarray
    y: np.ndarray


def draw_curves(
    panels: Mapping[str, Sequence[Curve]],
    x_label: str = 'iteration',
    columns: int = 2,
    title: str | None = None,
) -> Figure:
    """Draw a panel for each figure, with one curve for each run.

    Args:
        panels (Mapping[str, Sequence[Curve]]): Heading of each panel, and its curves.
        x_label (str): What the positions count. Defaults to 'iteration'.
        columns (int): Panels side by side. Defaults to 2.
        title (str, optional): Heading of the whole. Defaults to none.

    Returns:
        Figure: Two panels are 9.2 inches wide.

    Raises:
        ValueError: When there are no panels.
    """
    if not panels:
        raise ValueError('there are no curves to draw')
    labels = list(dict.fromkeys(curve.label for curves in panels.values() for curve in curves))
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    longest = max(map(len, labels), default=0)
    legend_columns = max(1, min(len(labels), int(columns * _PANEL_WIDTH / (0.6 + 0.075 * longest))))
    # One curve needs no legend, nor does one run of several figures.
    legend_rows = -(-len(labels) // legend_columns) if len(labels) > 1 else 0
    height = rows * _PANEL_HEIGHT + legend_rows * _LEGEND_LINE + (0.3 if title else 0)
    figure = Figure(figsize=(columns * _PANEL_WIDTH, height), layout='constrained')
    if title:
        figure.suptitle(title, fontsize=12, fontweight='bold')
    styles = {label: _style(number) for number, label in enumerate(labels)}
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True)
    for cell, (heading, curves) in zip(axes.flat, panels.items(), strict=False):
        _draw_panel(cell, heading, curves, styles, x_label)
    for cell in axes.flat[len(panels) :]:
        cell.set_axis_off()
    if legend_rows:
        handles = {line.get_label(): line for cell in axes.flat for line in cell.get_lines()}
        figure.legend(
            [handles[label] for label in labels],
            labels,
            loc='outside lower center',
            ncols=legend_columns,
            frameon=False,
            fontsize=9,
        )
    return figure


def _style(number: int) -> dict:
    """Colour and line of a run; together they do not repeat before 24 runs."""
    line = _LINES[number // len(_COLOURS) % len(_LINES)]
    return dict(color=_COLOURS[number % len(_COLOURS)], linestyle=line)


def _draw_panel(
    cell: Axes, heading: str, curves: Sequence[Curve], styles: dict[str, dict], x_label: str
) -> None:
    for curve in curves:
        cell.plot(
            curve.x,
            curve.y,
            label=curve.label,
            linewidth=1.6,
            marker='o' if len(curve.x) <= _FEW_POINTS else None,
            markersize=3.5,
            **styles[curve.label],
        )
    cell.set_title(heading, fontsize=10, loc='left', fontweight='bold')
    cell.set_xlabel(x_label, fontsize=9)
    cell.tick_params(labelsize=8, labelbottom=True)
    cell.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    cell.grid(color='#e3e3e3', linewidth=0.7)
    cell.set_axisbelow(True)
    cell.spines[['top', 'right']].set_visible(False)

"""When one person was before which camera."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from .pictures import time_text

_SHOWN = 12


class Visit(NamedTuple):
    """A track: place of its camera in the list of cameras, its times in seconds, and a crop."""

    camera: int
    start: float
    end: float
    name: str
    image: np.ndarray


def draw_timeline(
    title: str, visits: Sequence[Visit], cameras: Sequence[str], until: float
) -> Figure:
    """Draw crops of a person in the order of time, above bars that say which camera saw them when.

    Args:
        title (str): Text above.
        visits (Sequence[Visit]): The tracks of the person, with crops ``(H, W, 3)`` uint8 in RGB.
        cameras (Sequence[str]): Names of all cameras.
        until (float): End of the axis of time in seconds.
    """
    visits = sorted(visits, key=lambda visit: visit.start)
    figure = Figure(figsize=(9, 2.6 + 0.22 * len(cameras)), layout='constrained')
    parts: Any = figure.subfigures(2, height_ratios=[1.9, 0.7 + 0.22 * len(cameras)])
    crops, bars = parts
    more = len(visits) - _SHOWN
    crops.suptitle(f'{title} (the first {_SHOWN} of {len(visits)})' if more > 0 else title)
    for axes, visit in zip(crops.subplots(1, _SHOWN), [*visits, *[None] * _SHOWN], strict=False):
        axes.axis('off')
        if visit is not None:
            axes.imshow(visit.image)
            place = f'{cameras[visit.camera]}\n{time_text(visit.start)}'
            axes.set_title(place, fontsize=7, color=f'C{visit.camera}', parse_math=False)
    axes = bars.subplots()
    for visit in visits:
        length = max(visit.end - visit.start, until / 500)
        axes.barh(visit.camera, length, left=visit.start, color=f'C{visit.camera}')
        axes.text(visit.start, visit.camera, visit.name, fontsize=7, va='center', parse_math=False)
    axes.set(xlim=(0, until), ylim=(len(cameras) - 0.5, -0.5), xlabel='seconds')
    axes.set_yticks(range(len(cameras)), cameras, parse_math=False)
    axes.grid(axis='x', alpha=0.3)
    return figure

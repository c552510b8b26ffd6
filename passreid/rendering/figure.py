"""Draws a whole person, far parts first."""

from collections.abc import Callable
from functools import partial

import numpy as np

from .bags import bag_nearness, draw_bag, draw_straps
from .canvas import Canvas
from .head import HeadPainter
from .identity import Identity
from .legs import draw_lower
from .pose import Pose, build_skeleton
from .projection import View
from .trunk import draw_arm, draw_upper, trunk_rise

# Arms beside the trunk are drawn after it unless they are clearly behind.
_ARM_BIAS = 0.04


def draw_figure(canvas: Canvas, view: View, identity: Identity, pose: Pose) -> None:
    """Draw a person.

    Args:
        canvas: Where to draw.
        view: Viewpoint, size and position.
        identity: Who it is.
        pose: The moment of the walk.
    """
    skeleton = build_skeleton(identity.body, pose)
    head = HeadPainter(canvas, view, identity, skeleton)
    parts: list[tuple[float, Callable[[], None]]] = []
    for side in (0, 1):
        joints = (skeleton.shoulder[side] + skeleton.elbow[side] + skeleton.wrist[side]) / 3
        nearness = view.nearness(float(joints[0]), float(joints[2])) + _ARM_BIAS
        parts.append((nearness, partial(draw_arm, canvas, view, identity, skeleton, side)))
    bag = identity.bag
    if bag:
        nearness = bag_nearness(view, identity, bag, skeleton)
        parts.append((nearness, partial(draw_bag, canvas, view, identity, bag, skeleton)))
    parts.append((0.01 if head.hair_hangs_in_front else -0.01, head.draw_hanging_hair))
    parts.sort(key=lambda part: part[0])

    _cast_shadow(canvas, view)
    for nearness, draw in parts:
        if nearness < 0:
            draw()
    draw_lower(canvas, view, identity, skeleton)
    trunk = draw_upper(canvas, view, identity, skeleton)
    if bag:
        draw_straps(canvas, bag, trunk, trunk_rise(identity.body, skeleton))
    head.draw()
    for nearness, draw in parts:
        if nearness >= 0:
            draw()


def _cast_shadow(canvas: Canvas, view: View) -> None:
    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    rim = np.stack([np.cos(turn), np.sin(turn)], axis=1) * view.scale
    for size, level in ((1.0, 112), (0.6, 96)):
        outline = np.array(view.origin) + size * rim * (0.17, 0.035)
        canvas.darken(outline[None], level)

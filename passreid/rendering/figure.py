"""Draws a whole person with their bag, far parts first."""

from collections.abc import Callable
from functools import partial

import numpy as np

from .canvas import Canvas, Color, View, shaded
from .clothes import draw_arm, draw_lower, draw_upper
from .head import HeadPainter
from .identity import Bag, Identity
from .pose import HIP, SHOULDER, Pose, Skeleton, build_skeleton
from .solids import HALF_TURN, Tube

# Heights of the cross-sections of a bag, then their half widths and half depths: above the ground
# where the trunk carries it, else above the wrist.
_BAGS = {
    'backpack': (
        (0.545, 0.565, 0.72, 0.79, 0.81), (0.07, 0.088, 0.084, 0.07, 0.03),
        (0.03, 0.052, 0.05, 0.04, 0.02),
    ),
    'cross bag': (
        (0.41, 0.425, 0.515, 0.53), (0.026, 0.034, 0.034, 0.026), (0.06, 0.07, 0.07, 0.06),
    ),
    'tote': (
        (-0.2, -0.17, -0.09, -0.075), (0.03, 0.032, 0.028, 0.024), (0.074, 0.076, 0.07, 0.066),
    ),
    'carrier': (
        (-0.2, -0.17, -0.09, -0.035), (0.03, 0.036, 0.03, 0.008), (0.05, 0.065, 0.05, 0.01),
    ),
}  # fmt: skip
_CARRIER: Color = (225.0, 225.0, 225.0)
_STRAP = 0.013
# Arms beside the trunk are drawn after it unless they are clearly behind.
_ARM_BIAS = 0.04


def _bag_nearness(view: View, bag: Bag, skeleton: Skeleton) -> float:
    """Return how far the bag is in front of the body axis, seen by the camera."""
    x, _, z = skeleton.wrist[(bag.side + 1) // 2].tolist()
    places = {'backpack': (0.0, -0.1), 'cross bag': (0.11 * bag.side, 0.02)}
    return view.nearness(*places.get(bag.kind, (x, z)))


def _draw_bag(canvas: Canvas, view: View, identity: Identity, bag: Bag, skeleton: Skeleton) -> None:
    """Draw the bag itself, without its straps on the trunk."""
    body, loose, rise = identity.body, identity.upper.width, skeleton.rise
    x, y, z = skeleton.wrist[(bag.side + 1) // 2].tolist()
    if bag.kind == 'backpack':
        x, y, z = 0.0, rise, -0.075 * body.girth * (0.6 + 0.4 * loose) - 0.035
    elif bag.kind == 'cross bag':
        x, y, z = bag.side * (0.1 * body.hips * loose + 0.018), rise, 0.02
    heights, half_widths, half_depths = np.array(_BAGS[bag.kind])
    tube = Tube(view, y + heights, half_widths, half_depths, (x, z))
    tube.paint(canvas, _CARRIER if bag.kind == 'carrier' else bag.color)
    if bag.kind == 'backpack':
        pocket = tube.patch(HALF_TURN, 1.0, 0.65 + rise, 0.57 + rise)
        canvas.paint(pocket, shaded(bag.color, 0.7))
    elif bag.kind == 'cross bag':
        flap = tube.patch(tube.facing, HALF_TURN / 2, 0.53 + rise, 0.48 + rise)
        canvas.paint(flap, shaded(bag.color, 0.75))
    elif bag.kind == 'tote':
        handle = [(x, y - 0.03, z), (x, y - 0.08, z + 0.05), (x, y - 0.08, z - 0.05)]
        canvas.paint(view.project(np.array(handle))[None], shaded(bag.color, 0.8))


def _draw_straps(canvas: Canvas, bag: Bag, trunk: Tube, rise: float) -> None:
    """Draw what a backpack or a bag across the body shows on the trunk."""
    color = shaded(bag.color, 0.85)
    if bag.kind == 'backpack':
        left = np.array([-0.86, 0.56])
        canvas.paint(trunk.patches(left, left + 0.3, SHOULDER + 0.02 + rise, 0.63 + rise), color)
    elif bag.kind == 'cross bag':
        heights = np.linspace(SHOULDER + 0.02, HIP + 0.03, 9) + rise
        for start, end in ((-0.75, 1.4), (-HALF_TURN + 0.75, -HALF_TURN - 1.4)):
            angles = bag.side * np.linspace(start, end, 9) - trunk.facing
            angles = (angles + HALF_TURN) % (2 * HALF_TURN) - HALF_TURN
            turned = np.abs(angles)
            seen = np.maximum(turned[:-1], turned[1:]) < HALF_TURN / 2
            first, last = (trunk.facing + part[seen] for part in (angles[:-1], angles[1:]))
            above, below = heights[:-1][seen], heights[1:][seen]
            corners = ((first, above, 1), (last, below, 1), (last, below, -1), (first, above, -1))
            quads = [trunk.project(angle, at + sign * _STRAP) for angle, at, sign in corners]
            canvas.paint(np.stack(quads, axis=1), color)


def draw_figure(canvas: Canvas, view: View, identity: Identity, pose: Pose) -> None:
    """Draw a person at a moment of the walk; the view says from where, how large and where."""
    skeleton = build_skeleton(identity.body, pose)
    head = HeadPainter(canvas, view, identity, skeleton)
    bag = identity.bag

    def draw_middle() -> None:
        draw_lower(canvas, view, identity, skeleton)
        trunk = draw_upper(canvas, view, identity, skeleton)
        if bag:
            _draw_straps(canvas, bag, trunk, skeleton.rise)
        head.draw()

    parts: list[tuple[float, Callable[[], None]]] = [(0.0, draw_middle)]
    for side in (0, 1):
        joints = (skeleton.shoulder[side] + skeleton.elbow[side] + skeleton.wrist[side]) / 3
        nearness = view.nearness(float(joints[0]), float(joints[2])) + _ARM_BIAS
        parts.append((nearness, partial(draw_arm, canvas, view, identity, skeleton, side)))
    if bag:
        nearness = _bag_nearness(view, bag, skeleton)
        parts.append((nearness, partial(_draw_bag, canvas, view, identity, bag, skeleton)))
    parts.append((0.01 if head.hair_hangs_in_front else -0.01, head.draw_hanging_hair))
    _cast_shadow(canvas, view)
    for _, draw in sorted(parts, key=lambda part: part[0]):
        draw()


def _cast_shadow(canvas: Canvas, view: View) -> None:
    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    rim = np.stack([np.cos(turn), np.sin(turn)], axis=1) * view.scale
    for size, level in ((1.0, 112), (0.6, 96)):
        outline = np.array(view.origin) + size * rim * (0.17, 0.035)
        canvas.darken(outline[None], level)

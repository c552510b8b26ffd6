"""Upper garments and arms."""

import numpy as np

from .canvas import NEUTRAL, Canvas
from .identity import Body, Garment, Identity
from .pose import HIP, KNEE, SHOULDER, WAIST, Skeleton
from .projection import View
from .solids import HALF_TURN, Limb, Tube
from .textures import texture_limb, texture_tube

_CHEST, _SLOPE, _COLLAR = 0.72, 0.826, 0.846
_ELBOW_SHARE = 0.52
# Upper arm, forearm and hand; then the sleeve of upper arm and forearm.
_ARM_RADII = [[0.03, 0.028], [0.027, 0.019], [0.022, 0.017]]
_SLEEVE_RADII = [[0.031, 0.033], [0.032, 0.026]]
_HOODED = ('hoodie', 'puffer')


def trunk_tube(
    view: View,
    body: Body,
    skeleton: Skeleton,
    hem: float,
    width: float,
    top: float = _COLLAR,
    flare: float = 0.3,
) -> Tube:
    """Shape the trunk with a garment that reaches down to a hem.

    Args:
        view: The view it is drawn in.
        body: Proportions.
        skeleton: Joint positions; a long garment makes room for the legs.
        hem: Lower end in body units, above the ankles.
        width: Looseness, 1 is tight.
        top: Upper end.
        flare: Widening below the hips for each body unit of length.

    Returns:
        The tube.
    """
    rise = trunk_rise(body, skeleton)
    loose = 1 + 0.5 * (width - 1)
    heights = np.array([HIP, WAIST, _CHEST, SHOULDER, _SLOPE, _COLLAR])
    half_widths = np.array([0.09, 0.08, 0.096, 0.116, 0.085, 0.036])
    half_widths *= [
        body.hips * width,
        body.girth * width,
        (body.girth + body.shoulders) / 2 * loose,
        body.shoulders * loose,
        body.shoulders,
        1.0,
    ]
    half_depths = np.array([0.074, 0.068, 0.07, 0.056, 0.045, 0.034])
    half_depths[:3] *= body.girth * width
    lean = skeleton.shoulder[0, 2] * np.clip((heights - HIP) / (SHOULDER - HIP), 0, 1.1)
    if hem < HIP:
        reach = min((HIP - hem) / (HIP - KNEE), 1.6)
        knees = skeleton.knee[:, 2] * reach
        spread = abs(knees[1] - knees[0]) / 2 + 0.052
        widening = 1 + flare * (HIP - hem)
        deep = max(half_depths[0] * widening, spread * loose)
        heights = np.concatenate([[hem], heights])
        half_widths = np.concatenate([[half_widths[0] * widening], half_widths])
        half_depths = np.concatenate([[deep], half_depths])
        lean = np.concatenate([[knees.mean()], lean])
    keep = heights <= top + 1e-6
    return Tube(view, heights[keep] + rise, half_widths[keep], half_depths[keep], (0.0, lean[keep]))


def trunk_rise(body: Body, skeleton: Skeleton) -> float:
    """Return how far the walking trunk is above (below: negative) its standing height."""
    return float(skeleton.hip[0, 1]) - HIP - body.legs


def draw_upper(canvas: Canvas, view: View, identity: Identity, skeleton: Skeleton) -> Tube:
    """Draw the upper garment (a dress or coat down to its hem) without sleeves."""
    garment, body = identity.upper, identity.body
    flare = 1.4 if garment.kind == 'dress' else 0.5
    trunk = trunk_tube(view, body, skeleton, garment.length, garment.width, flare=flare)
    rise = trunk_rise(body, skeleton)
    hem, shoulder = garment.length + rise, SHOULDER + rise
    trunk.paint(canvas, garment.colour)
    texture_tube(canvas, trunk, garment, shoulder, hem, rise)
    if garment.kind == 'tank':
        neckline = trunk.patch(0.0, 0.9, _COLLAR + rise, 0.79 + rise)
        canvas.paint(neckline, identity.head.skin)
    if garment.kind in ('coat', 'shirt', 'hoodie'):
        canvas.darken(trunk.patch(0.0, 0.05, shoulder, hem), 84)
    if garment.kind == 'puffer':
        seams = np.arange(hem + 0.04, shoulder, 0.05)
        half = np.full(len(seams), HALF_TURN / 2)
        for seam in trunk.outline(-half, half, seams + 0.008, seams):
            canvas.darken(seam[None], 70)
    if garment.kind in _HOODED:
        hood = trunk.patch(HALF_TURN, 1.5, _COLLAR + rise, 0.775 + rise)
        for outline in hood:
            canvas.darken(outline[None], 88)
    _crease(canvas, trunk, garment, rise)
    return trunk


def _crease(canvas: Canvas, trunk: Tube, garment: Garment, rise: float) -> None:
    """Lay folds at the waist; where they are depends on the garment, so that they repeat."""
    start = 3.0 * garment.width + np.array([-0.6, 0.5])
    angles = trunk.facing + np.linspace(-0.9, 0.5, 4) * np.sin(start)[:, None]
    heights = np.array([WAIST - 0.03, WAIST + 0.04])[:, None] + rise + np.linspace(0, 0.03, 4)
    thickness = max(1, round(0.012 * trunk.view.scale))
    canvas.crease(trunk.project(angles, heights), NEUTRAL * 0.88, thickness)


def draw_arm(canvas: Canvas, view: View, identity: Identity, skeleton: Skeleton, side: int) -> None:
    """Draw one arm (0 right, 1 left) with hand and sleeve."""
    garment, body = identity.upper, identity.body
    joints = np.empty((4, 3))
    joints[0], joints[1], joints[2] = (
        part[side] for part in (skeleton.shoulder, skeleton.elbow, skeleton.wrist)
    )
    joints[3] = joints[2] + 0.22 * (joints[2] - joints[1])
    upper = min(garment.sleeve / _ELBOW_SHARE, 1.0)
    lower = max(0.0, (garment.sleeve - _ELBOW_SHARE) / (1 - _ELBOW_SHARE))
    cuffs = joints[:2] + np.array([[upper], [lower]]) * (joints[1:3] - joints[:2])
    radii = np.array(_ARM_RADII + _SLEEVE_RADII) * (0.5 + 0.5 * body.girth)
    loose = 0.5 * (garment.width - 1)
    radii[3:] *= 1 + loose
    radii[3, 0] /= 1 + loose
    arm = Limb(
        view,
        np.concatenate([joints[:3], joints[:2]]),
        np.concatenate([joints[1:], cuffs]),
        radii,
    )
    arm.paint(canvas, identity.head.skin, slice(int(upper == 1) + int(lower == 1), 3))
    for index, covered in ((3, upper), (4, lower)):
        if covered:
            arm.paint(canvas, garment.colour, slice(index, index + 1))
            texture_limb(canvas, arm, index, garment, yoke=index == 3)

"""Garments with their textures, arms, legs and shoes."""

import numpy as np

from .canvas import NEUTRAL, Canvas, Color, View
from .identity import Body, Garment, Identity
from .pose import HIP, KNEE, SHOULDER, WAIST, Skeleton
from .solids import HALF_TURN, Limb, Tube

# Patterns on a trunk are this many radians wide for each body unit of pitch.
_ANGLE_PER_PITCH = 1 / 0.11
_PRINT = (0.66, 0.76)
_YOKE = 0.7
_WHOLE = np.array([[0.0, 1.0]])


def _texture_tube(
    canvas: Canvas, tube: Tube, garment: Garment, top: float, bottom: float, rise: float = 0.0
) -> None:
    """Draw the texture of a garment on a painted trunk or skirt, between two heights."""
    pitch = garment.pitch
    angular = pitch * _ANGLE_PER_PITCH
    if garment.texture == 'stripes':
        upper = np.arange(top, bottom, -2 * pitch)
        lower = np.maximum(upper - pitch, bottom)
        canvas.paint(tube.rings(upper, lower), garment.second)
    elif garment.texture == 'bars':
        left = np.arange(-HALF_TURN, HALF_TURN - angular, 2 * angular)
        canvas.paint(tube.patches(left, left + 0.8 * angular, top, bottom), garment.second)
    elif garment.texture == 'checks':
        rows = np.arange(top, bottom, -pitch)
        columns = np.arange(-HALF_TURN, HALF_TURN - angular, 2 * angular)
        upper, left = (grid.ravel() for grid in np.meshgrid(rows, columns))
        left = left + angular * (np.rint((top - upper) / pitch) % 2)
        lower = np.maximum(upper - pitch, bottom)
        canvas.paint(tube.patches(left, left + angular, upper, lower), garment.second)
    elif garment.texture == 'logo':
        high, low = _PRINT[1] + rise, _PRINT[0] + rise
        canvas.paint(tube.patch(0.0, 0.5, high, low), garment.second)
        if garment.pitch > 0.036:
            canvas.paint(tube.patch(HALF_TURN, 0.7, high, low), garment.second)
    elif garment.texture == 'block':
        yoke = tube.patch(tube.facing, HALF_TURN / 2, top + 0.02, _YOKE + rise)
        canvas.paint(yoke, garment.second)
    elif garment.texture == 'open':
        canvas.paint(tube.patch(0.0, 0.42, top + 0.02, bottom), garment.second)


def _texture_limb(canvas: Canvas, limb: Limb, index: int, garment: Garment, yoke: bool) -> None:
    """Draw the texture of a sleeve or trouser leg on a segment; a yoke begins at the shoulder."""
    start = np.arange(0, 1, garment.pitch / 0.16)
    edges = np.stack([start, np.append(start[1:], 1.0)], axis=1)
    if garment.texture == 'stripes':
        canvas.paint(limb.bands(index, edges[::2]), garment.second)
    elif garment.texture == 'checks':
        canvas.paint(limb.bands(index, edges[::2], (-1.0, 0.0)), garment.second)
        canvas.paint(limb.bands(index, edges[1::2], (0.0, 1.0)), garment.second)
    elif garment.texture == 'bars':
        canvas.paint(limb.bands(index, _WHOLE, (-0.25, 0.25)), garment.second)
    elif garment.texture == 'block' and yoke:
        canvas.paint(limb.bands(index, 0.6 * _WHOLE), garment.second)


_CHEST, _SLOPE, _COLLAR = 0.72, 0.826, 0.846
_ELBOW_SHARE = 0.52
# Upper arm, forearm and hand; then the sleeve of upper arm and forearm.
_ARM_RADII = [[0.03, 0.028], [0.027, 0.019], [0.022, 0.017]]
_SLEEVE_RADII = [[0.031, 0.033], [0.032, 0.026]]


def _trunk_tube(
    view: View, body: Body, skeleton: Skeleton, hem: float, width: float, top: float, flare: float
) -> Tube:
    """Shape the trunk with a garment that is wider below the hips and makes room for the legs."""
    loose = 1 + 0.5 * (width - 1)
    heights = np.array([HIP, WAIST, _CHEST, SHOULDER, _SLOPE, _COLLAR])
    half_widths = np.array([0.09, 0.08, 0.096, 0.116, 0.085, 0.036])
    chest = (body.girth + body.shoulders) / 2
    half_widths[:5] *= [body.hips, body.girth, chest, body.shoulders, body.shoulders]
    half_widths[:4] *= [width, width, loose, loose]
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
    heights = heights[keep] + skeleton.rise
    return Tube(view, heights, half_widths[keep], half_depths[keep], (0.0, lean[keep]))


def draw_upper(canvas: Canvas, view: View, identity: Identity, skeleton: Skeleton) -> Tube:
    """Draw the upper garment (a dress or coat down to its hem) without sleeves."""
    garment, body = identity.upper, identity.body
    flare = 1.4 if garment.kind == 'dress' else 0.5
    trunk = _trunk_tube(view, body, skeleton, garment.length, garment.width, _COLLAR, flare)
    rise = skeleton.rise
    hem, shoulder = garment.length + rise, SHOULDER + rise
    trunk.paint(canvas, garment.color)
    _texture_tube(canvas, trunk, garment, shoulder, hem, rise)
    if garment.kind == 'tank':
        neckline = trunk.patch(0.0, 0.9, _COLLAR + rise, 0.79 + rise)
        canvas.paint(neckline, identity.head.skin)
    if garment.kind in ('coat', 'shirt', 'hoodie'):
        canvas.darken(trunk.patch(0.0, 0.05, shoulder, hem), 84)
    if garment.kind == 'puffer':
        seams = np.arange(hem + 0.04, shoulder, 0.05)
        canvas.darken(trunk.rings(seams + 0.008, seams), 70)
    if garment.kind in ('hoodie', 'puffer'):
        canvas.darken(trunk.patch(HALF_TURN, 1.5, _COLLAR + rise, 0.775 + rise), 88)
    # Folds at the waist; where they are depends on the garment, so that they repeat.
    bend = np.sin(3.0 * garment.width + np.array([[-0.6], [0.5]]))
    angles = trunk.facing + np.linspace(-0.9, 0.5, 4) * bend
    heights = np.array([[WAIST - 0.03], [WAIST + 0.04]]) + rise + np.linspace(0, 0.03, 4)
    thickness = max(1, round(0.012 * view.scale))
    canvas.crease(trunk.project(angles, heights), NEUTRAL * 0.88, thickness)
    return trunk


def draw_arm(canvas: Canvas, view: View, identity: Identity, skeleton: Skeleton, side: int) -> None:
    """Draw one arm (0 right, 1 left) with hand and sleeve."""
    garment, body = identity.upper, identity.body
    shoulder, elbow, wrist = skeleton.shoulder[side], skeleton.elbow[side], skeleton.wrist[side]
    joints = np.array([shoulder, elbow, wrist, wrist + 0.22 * (wrist - elbow)])
    upper = min(garment.sleeve / _ELBOW_SHARE, 1.0)
    lower = max(0.0, (garment.sleeve - _ELBOW_SHARE) / (1 - _ELBOW_SHARE))
    cuffs = joints[:2] + np.array([[upper], [lower]]) * (joints[1:3] - joints[:2])
    radii = np.array(_ARM_RADII + _SLEEVE_RADII) * (0.5 + 0.5 * body.girth)
    loose = 0.5 * (garment.width - 1)
    radii[3:] *= 1 + loose
    radii[3, 0] /= 1 + loose
    starts, ends = joints[[0, 1, 2, 0, 1]], np.concatenate([joints[1:], cuffs])
    arm = Limb(view, starts, ends, radii)
    arm.paint(canvas, identity.head.skin, slice(int(upper == 1) + int(lower == 1), 3))
    for index, covered in ((3, upper), (4, lower)):
        if covered:
            arm.paint(canvas, garment.color, slice(index, index + 1))
            _texture_limb(canvas, arm, index, garment, yoke=index == 3)


_SKIRTS = ('skirt', 'long skirt')
_SOLE_DROP = np.array([0.0, 0.012, 0.0])
_HEEL_DROP = np.array([0.0, 0.018, 0.0])


def draw_lower(canvas: Canvas, view: View, identity: Identity, skeleton: Skeleton) -> None:
    """Draw legs, shoes and the lower garment, the farther leg first."""
    garment, body = identity.lower, identity.body
    for side in sorted((0, 1), key=lambda side: view.nearness(*skeleton.knee[side, [0, 2]])):
        _draw_leg(canvas, view, identity, skeleton, side)
    if identity.upper.kind == 'dress':
        return
    rise = skeleton.rise
    if garment.kind in _SKIRTS:
        skirt = _trunk_tube(view, body, skeleton, garment.length, 1.02, WAIST, garment.width)
        skirt.paint(canvas, garment.color)
        _texture_tube(canvas, skirt, garment, WAIST + rise, garment.length + rise)
        return
    _trunk_tube(view, body, skeleton, HIP - 0.045, 1.0, WAIST, 0.3).paint(canvas, garment.color)


def _draw_leg(
    canvas: Canvas, view: View, identity: Identity, skeleton: Skeleton, side: int
) -> None:
    garment, body, width = identity.lower, identity.body, identity.lower.width
    hip, knee = skeleton.hip[side], skeleton.knee[side]
    ankle, toe = skeleton.ankle[side], skeleton.toe[side]
    heel = ankle - _HEEL_DROP - 0.12 * (toe - ankle)
    shorts = garment.kind == 'shorts'
    hem = hip + (HIP - garment.length) / (HIP - KNEE) * (knee - hip) if shorts else knee
    thick = (body.girth + body.hips) / 2
    parts = {
        'thigh': (hip, knee, 0.054 * thick, 0.04 * thick),
        'shin': (knee, ankle, 0.039 * thick, 0.025 * thick),
        'sole': (heel - _SOLE_DROP, toe - _SOLE_DROP, 0.026, 0.02),
        'shoe': (heel, toe, 0.026, 0.02),
        'boot': (ankle + 0.55 * (knee - ankle), ankle, 0.042, 0.033),
        'upper': (hip, hem, 0.058 * thick, 0.041 * width * thick),
        'lower': (knee, ankle, 0.041 * width * thick, 0.026 * (2 * width - 1) * thick),
    }
    names = list(parts)
    starts, ends, *radii = zip(*parts.values(), strict=True)
    leg = Limb(view, starts, ends, np.array(radii).T)

    def paint(color: Color, *which: str) -> None:
        leg.paint(canvas, color, [names.index(name) for name in which])

    trousers = identity.upper.kind != 'dress' and garment.kind not in _SKIRTS
    if not trousers or shorts:
        paint(identity.legs, 'thigh', 'shin')
    paint(identity.sole, 'sole')
    paint(identity.shoes, *(('shoe', 'boot') if identity.boots else ('shoe',)))
    if not trousers:
        return
    covered = ('upper',) if shorts else ('upper', 'lower')
    paint(garment.color, *covered)
    outwards = 1.0 if side else -1.0
    for index in map(names.index, covered):
        _texture_limb(canvas, leg, index, garment, yoke=False)
        if garment.texture == 'piping' and view.nearness(outwards, 0.0) > -0.35:
            middle = -0.8 * outwards * view.cos
            stripe = leg.bands(index, _WHOLE, (middle - 0.22, middle + 0.22))
            canvas.paint(stripe, garment.second)

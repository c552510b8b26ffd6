"""Lower garments, legs and shoes."""

import numpy as np

from .canvas import Canvas
from .identity import Identity
from .pose import HIP, KNEE, WAIST, Skeleton
from .projection import View
from .solids import Limb
from .textures import texture_limb, texture_tube
from .trunk import trunk_rise, trunk_tube

_SKIRTS = ('skirt', 'long skirt')
_SOLE_DROP = np.array([0.0, 0.012, 0.0])


def draw_lower(canvas: Canvas, view: View, identity: Identity, skeleton: Skeleton) -> None:
    """Draw legs, shoes and the lower garment, the farther leg first."""
    garment = identity.lower
    order = sorted((0, 1), key=lambda side: view.nearness(*skeleton.knee[side, [0, 2]]))
    for side in order:
        _draw_leg(canvas, view, identity, skeleton, side)
    if identity.upper.kind == 'dress':
        return
    rise = trunk_rise(identity.body, skeleton)
    if garment.kind in _SKIRTS:
        skirt = trunk_tube(
            view, identity.body, skeleton, garment.length, 1.02, WAIST, flare=garment.width
        )
        skirt.paint(canvas, garment.colour)
        texture_tube(canvas, skirt, garment, WAIST + rise, garment.length + rise)
        return
    pelvis = trunk_tube(view, identity.body, skeleton, HIP - 0.045, 1.0, WAIST)
    pelvis.paint(canvas, garment.colour)


def _draw_leg(
    canvas: Canvas, view: View, identity: Identity, skeleton: Skeleton, side: int
) -> None:
    garment, body = identity.lower, identity.body
    joints = np.stack([skeleton.hip[side], skeleton.knee[side], skeleton.ankle[side]])
    thick = (body.girth + body.hips) / 2
    radii = np.array([[0.056, 0.04], [0.039, 0.025]]) * thick
    trousers = identity.upper.kind != 'dress' and garment.kind not in _SKIRTS
    if not trousers or garment.kind == 'shorts':
        Limb(view, joints[:-1], joints[1:], radii).paint(canvas, identity.legs)
    _draw_shoe(canvas, view, identity, skeleton, side)
    if not trousers:
        return
    width = garment.width
    if garment.kind == 'shorts':
        share = (HIP - garment.length) / (HIP - KNEE)
        ends = joints[:1] + share * (joints[1:2] - joints[:1])
        leg = Limb(view, joints[:1], ends, np.array([[0.058, 0.042 * width]]) * thick)
    else:
        loose = np.array([[0.059, 0.041 * width], [0.041 * width, 0.026 * (2 * width - 1)]])
        leg = Limb(view, joints[:-1], joints[1:], loose * thick)
    leg.paint(canvas, garment.colour)
    for index in range(len(leg.starts)):
        texture_limb(canvas, leg, index, garment, 1.0)
    if garment.texture == 'piping':
        outwards = 1.0 if side else -1.0
        if view.nearness(outwards, 0.0) > -0.35:
            middle = -0.8 * outwards * view.cos
            stripe = (middle - 0.22, middle + 0.22)
            for index in range(len(leg.starts)):
                canvas.paint(leg.bands(index, np.array([[0.0, 1.0]]), stripe), garment.second)


def _draw_shoe(
    canvas: Canvas, view: View, identity: Identity, skeleton: Skeleton, side: int
) -> None:
    ankle, toe, knee = skeleton.ankle[side], skeleton.toe[side], skeleton.knee[side]
    forward = toe - ankle
    heel = ankle - np.array([0.0, 0.018, 0.0]) - 0.12 * forward
    radii = np.array([[0.026, 0.02]])
    Limb(view, heel - _SOLE_DROP, toe - _SOLE_DROP, radii).paint(canvas, identity.sole)
    Limb(view, heel, toe, radii).paint(canvas, identity.shoes)
    if identity.boots:
        shaft = ankle + 0.55 * (knee - ankle)
        Limb(view, shaft, ankle, np.array([[0.042, 0.033]])).paint(canvas, identity.shoes)

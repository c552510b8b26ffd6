"""Lower garments, legs and shoes."""

import numpy as np

from .canvas import Canvas, Colour
from .identity import Identity
from .pose import HIP, KNEE, WAIST, Skeleton
from .projection import View
from .solids import Limb
from .textures import texture_limb, texture_tube
from .trunk import trunk_rise, trunk_tube

_SKIRTS = ('skirt', 'long skirt')
_SOLE_DROP = np.array([0.0, 0.012, 0.0])
_HEEL_DROP = np.array([0.0, 0.018, 0.0])


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
    garment, body, width = identity.lower, identity.body, identity.lower.width
    hip, knee, ankle, toe = (
        part[side] for part in (skeleton.hip, skeleton.knee, skeleton.ankle, skeleton.toe)
    )
    heel = ankle - _HEEL_DROP - 0.12 * (toe - ankle)
    shorts = garment.kind == 'shorts'
    hem = hip + (HIP - garment.length) / (HIP - KNEE) * (knee - hip) if shorts else knee
    thick = (body.girth + body.hips) / 2
    cuff = 0.026 * (2 * width - 1) * thick
    parts = {
        'thigh': (hip, knee, 0.054 * thick, 0.04 * thick),
        'shin': (knee, ankle, 0.039 * thick, 0.025 * thick),
        'sole': (heel - _SOLE_DROP, toe - _SOLE_DROP, 0.026, 0.02),
        'shoe': (heel, toe, 0.026, 0.02),
        'boot': (ankle + 0.55 * (knee - ankle), ankle, 0.042, 0.033),
        'upper': (hip, hem, 0.058 * thick, 0.041 * width * thick),
        'lower': (knee, ankle, 0.041 * width * thick, cuff),
    }
    names = list(parts)
    starts, ends, *radii = zip(*parts.values(), strict=True)
    leg = Limb(view, starts, ends, np.array(radii).T)

    def paint(colour: Colour, *which: str) -> None:
        leg.paint(canvas, colour, [names.index(name) for name in which])

    trousers = identity.upper.kind != 'dress' and garment.kind not in _SKIRTS
    if not trousers or shorts:
        paint(identity.legs, 'thigh', 'shin')
    paint(identity.sole, 'sole')
    paint(identity.shoes, *(('shoe', 'boot') if identity.boots else ('shoe',)))
    if not trousers:
        return
    covered = ('upper',) if shorts else ('upper', 'lower')
    paint(garment.colour, *covered)
    outwards = 1.0 if side else -1.0
    for index in map(names.index, covered):
        texture_limb(canvas, leg, index, garment)
        if garment.texture == 'piping' and view.nearness(outwards, 0.0) > -0.35:
            middle = -0.8 * outwards * view.cos
            stripe = leg.bands(index, np.array([[0.0, 1.0]]), (middle - 0.22, middle + 0.22))
            canvas.paint(stripe, garment.second)

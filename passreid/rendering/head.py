"""Head, face, hair and hats."""

import numpy as np

from .canvas import Canvas, Color, View, shaded
from .identity import Identity
from .pose import NECK, Skeleton
from .solids import HALF_TURN, Limb, Tube

_HALF_HEIGHT, _HALF_WIDTH, _HALF_DEPTH = 0.066, 0.048, 0.056
_STEPS = np.linspace(-1, 1, 11)
_HAIR_STEPS = np.array([-1.3, -0.6, 0.0, 0.35, 0.6, 0.82, 0.94, 1.0])
_HAIR_PROFILE = np.array([0.95, 1.02, 1.03, 0.97, 0.84, 0.6, 0.36, 0.0])
# Volume, and how far down the hair of the back of the head reaches, in half heads.
_STYLES = {
    'bald': (0.0, 0.0), 'crop': (1.03, -0.3), 'short': (1.1, -0.55), 'bob': (1.2, -1.15),
    'long': (1.16, -1.3), 'ponytail': (1.07, -0.5), 'bun': (1.07, -0.5), 'afro': (1.5, -0.75),
}  # fmt: skip
_DARK: Color = (40.0, 38.0, 42.0)


class HeadPainter:
    """Draws one head; its parts are separate because hair may hang before or behind the trunk."""

    def __init__(self, canvas: Canvas, view: View, identity: Identity, skeleton: Skeleton) -> None:
        self.canvas, self.view, self.head = canvas, view, identity.head
        self.size = identity.body.head
        rise = skeleton.rise
        self.unit = _HALF_HEIGHT * self.size
        self.center = NECK + 0.02 + self.unit + rise
        self.forward = float(skeleton.shoulder[0, 2]) + 0.014
        self.shoulder = 0.8 + rise
        jaw = np.where(_STEPS < 0, 1 + 0.22 * _STEPS, 1.0)
        profile = np.sqrt(np.maximum(1 - _STEPS**2, 0)) * jaw
        self.skull = self._tube(_STEPS, profile, 1.0)
        self.volume, self.nape = _STYLES[self.head.hair]
        if self.head.hat == 'beanie':
            self.volume = min(self.volume, 1.12)
        self.hair = self._tube(_HAIR_STEPS, _HAIR_PROFILE, max(self.volume, 1.0))
        if self.head.hat:
            cover = 1.18 if self.head.hat == 'beanie' else 1.1
            self.cover = self._tube(_HAIR_STEPS, _HAIR_PROFILE, cover)

    def _tube(self, steps: np.ndarray, profile: np.ndarray, volume: float) -> Tube:
        heights = self.center + self.unit * steps * (1 + 0.5 * (volume - 1))
        width, depth = (half * self.size * profile for half in (_HALF_WIDTH, _HALF_DEPTH))
        return Tube(self.view, heights, volume * width, volume * depth, (0.0, self.forward))

    def _at(self, step: float) -> float:
        return self.center + self.unit * step

    @property
    def hair_hangs_in_front(self) -> bool:
        """Whether hair at the back of the head is nearer to the camera than the trunk."""
        return self.view.nearness(0.0, -1.0) > -0.3

    def draw_hanging_hair(self) -> None:
        """Draw long hair, a ponytail or a bun."""
        back = self.forward - _HALF_DEPTH
        color = self.head.hair_color
        if self.head.hat == 'hijab':
            return
        if self.head.hair == 'long':
            ends = (self.shoulder - 0.1, self.shoulder, self._at(0.0), self._at(0.6))
            widths = 1.1 * np.array([0.052, 0.06, 0.058, 0.05]) * self.size
            shift = np.array([-0.062, -0.052, self.forward - 0.02, self.forward - 0.01])
            fall = Tube(self.view, ends, widths, (0.025, 0.03, 0.045, 0.045), (0.0, shift))
            fall.paint(self.canvas, color)
        elif self.head.hair == 'ponytail':
            root = (0.0, self._at(0.35), back)
            tip = (0.0, self.shoulder - 0.03, back - 0.035)
            Limb(self.view, root, tip, (0.026, 0.016)).paint(self.canvas, color)
        elif self.head.hair == 'bun':
            knot = np.array([0.0, self._at(0.85), back + 0.02])
            Limb(self.view, knot, knot + (0, 0.012, -0.01), (0.03, 0.028)).paint(self.canvas, color)

    def draw(self) -> None:
        """Draw neck, face, the hair that lies on the head, and hat."""
        throat = (0.0, self.shoulder, self.forward - 0.016)
        chin = (0.0, self._at(-0.4), self.forward - 0.01)
        Limb(self.view, throat, chin, (0.034, 0.03)).paint(self.canvas, self.head.skin)
        if self.head.scarf:
            heights = self.shoulder + np.array([0.01, 0.03, 0.062])
            widths, depths = (0.066, 0.064, 0.05), (0.066, 0.064, 0.052)
            scarf = Tube(self.view, heights, widths, depths, (0.0, 0.01))
            scarf.paint(self.canvas, self.head.scarf)
            knot = scarf.patch(0.45, 0.3, self.shoulder + 0.03, self.shoulder + 0.01)
            self.canvas.paint(knot, self.head.scarf)
        if self.head.hat in ('cap', 'brim') and self.view.cos < 0:
            self._draw_brim()
        self.skull.paint(self.canvas, self.head.skin)
        self._draw_face()
        self._draw_hair()
        if self.head.hat:
            self._draw_hat()

    def _patch(self, tube: Tube, half: float, top: float, bottom: float, color: Color, at=0.0):
        self.canvas.paint(tube.patch(at, half, self._at(top), self._at(bottom)), color)

    def _draw_face(self) -> None:
        skull, skin = self.skull, self.head.skin
        if self.view.cos < -0.6:
            return
        if self.head.beard:
            self._patch(skull, 1.15, -0.3, -0.98, self.head.hair_color)
        for side in (-0.42, 0.42):
            self._patch(skull, 0.19, 0.13, -0.04, _DARK, at=side)
        if self.head.glasses:
            self._patch(skull, 0.75, 0.08, -0.03, _DARK)
        lips = (0.62 * skin[0], 0.55 * skin[1], 0.75 * skin[2])
        self._patch(skull, 0.28, -0.42, -0.53, lips)
        tip = self.forward + 1.3 * _HALF_DEPTH * self.size
        root = self.forward + 0.9 * _HALF_DEPTH * self.size
        nose = [(0.009, -0.22, root), (0.0, -0.2, tip), (-0.009, -0.22, root), (0.0, 0.12, root)]
        points = [(x, self._at(y), z) for x, y, z in nose]
        outline = self.view.project(np.array(points))[None]
        self.canvas.paint(outline, skin)
        self.canvas.darken(outline, 112)

    def _draw_hair(self) -> None:
        if not self.volume:
            return
        color, hair = self.head.hair_color, self.hair
        loose = self.head.hair in ('bob', 'long', 'afro')
        self._patch(hair, HALF_TURN, 1.25, 0.46, color)
        self._patch(hair, HALF_TURN - (0.95 if loose else 1.45), 0.47, self.nape, color, HALF_TURN)
        # A fringe or parting at one side of the forehead.
        self._patch(hair, 0.5, 0.5, 0.3, color, at=0.7)

    def _draw_brim(self) -> None:
        cap = self.head.hat == 'cap'
        arc = np.linspace(-1.1, 1.1, 9) if cap else np.linspace(-HALF_TURN, HALF_TURN, 17)
        reach, drop = (1.95, 0.2) if cap else (1.8, 0.05)
        level = self._at(0.44)
        outer = self.cover.project(arc, np.full(len(arc), level), reach)
        outer[:, 1] += drop * self.unit * self.view.scale
        inner = self.cover.project(arc[::-1], np.full(len(arc), level + 0.004), 1.0 if cap else 1.7)
        outline = np.vstack([outer, inner])[None]
        self.canvas.paint(outline, self.head.hat_color)
        self.canvas.darken(outline, 92)

    def _draw_hat(self) -> None:
        hat, color, cover = self.head.hat, self.head.hat_color, self.cover
        if hat == 'hijab':
            self._patch(cover, HALF_TURN, 1.25, 0.5, color)
            self._patch(cover, HALF_TURN - 0.9, 0.52, -1.3, color, at=HALF_TURN)
            self._patch(cover, 0.9, -0.8, -1.3, color)
            return
        lower = {'cap': 0.4, 'brim': 0.4, 'beanie': 0.25}[hat or '']
        if hat in ('cap', 'brim') and self.view.cos >= 0:
            self._draw_brim()
        self._patch(cover, HALF_TURN, 1.25, lower, color)
        if hat == 'beanie':
            self._patch(cover, HALF_TURN, lower + 0.24, lower, shaded(color, 0.75))

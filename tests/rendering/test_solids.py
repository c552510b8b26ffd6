import numpy as np
import pytest

from passreid.rendering.canvas import Canvas, View
from passreid.rendering.solids import Limb, Tube

RED = (0.0, 0.0, 255.0)


def view(yaw=0.0):
    return View(yaw, 0.0, scale=100.0, stretch=1.0, origin=(50.0, 110.0))


def tube(yaw=0.0):
    return Tube(view(yaw), (0.2, 0.8), (0.3, 0.3), (0.1, 0.1))


def black():
    return Canvas(np.zeros((120, 100, 3), np.uint8))


@pytest.mark.parametrize(('yaw', 'width'), [(0.0, 60), (np.pi / 2, 20), (np.pi, 60)])
def test_tube_is_as_wide_as_its_axis_across_the_view(yaw, width):
    canvas = black()
    tube(yaw).paint(canvas, RED)
    rows, columns = np.nonzero(canvas.color[..., 2])
    assert columns.max() - columns.min() == pytest.approx(width, abs=1.5)
    assert (rows.min(), rows.max()) == (30, 90)


@pytest.mark.parametrize(
    ('yaw', 'front', 'back'), [(0.0, True, False), (np.pi, False, True), (np.pi / 2, True, True)]
)
def test_patches_behind_the_body_are_left_out(yaw, front, back):
    body = tube(yaw)
    assert bool(len(body.patch(0.0, 0.4, 0.6, 0.4))) == front
    assert bool(len(body.patch(np.pi, 0.4, 0.6, 0.4))) == back


def test_patch_and_patches_agree():
    body = tube(0.8)
    middles = np.linspace(-3, 3, 13)
    many = body.patches(middles - 0.3, middles + 0.3, 0.6, 0.4)
    single = np.concatenate([body.patch(middle, 0.3, 0.6, 0.4) for middle in middles])
    order, order_single = (np.lexsort(outlines[:, :2, 0].T) for outlines in (many, single))
    np.testing.assert_allclose(many[order], single[order_single], atol=1e-9)


def test_patch_wider_than_half_a_turn_shows_on_both_sides():
    # Hair at the back of the head, seen from the front.
    pieces = tube().patch(np.pi, 2.2, 0.6, 0.4)
    assert len(pieces) == 2
    assert sorted(np.sign(pieces[..., 0].mean(axis=1) - 50)) == [-1, 1]


def test_limb_covers_its_segment_and_is_shaded():
    canvas = black()
    limb = Limb(view(), (0, 0.2, 0), (0, 0.8, 0), (0.1, 0.05))
    limb.paint(canvas, RED)
    width = (canvas.color[..., 2] > 0).sum(axis=1)
    assert width[88] == pytest.approx(20, abs=2)
    assert width[32] == pytest.approx(10, abs=2)
    # Lit from the right.
    assert canvas.shade[60, 54] > canvas.shade[60, 46] > canvas.shade[60, 43]


def test_bands_lie_across_a_limb():
    limb = Limb(view(), (0, 0.2, 0), (0, 0.8, 0), (0.1, 0.1))
    band = limb.bands(0, np.array([[0.5, 1.0]]))[0]
    assert sorted(band[:, 1].round(3)) == [30, 30, 60, 60]
    assert sorted(band[:, 0].round(3)) == [40, 40, 60, 60]

import numpy as np
import pytest

from passreid.rendering.canvas import View


def view(yaw=0.0, elevation=0.0):
    return View(yaw, elevation, scale=100.0, stretch=1.5, origin=(32.0, 120.0))


def test_a_metre_up_is_up_and_the_left_hand_is_right_in_a_front_view():
    points = view().project(np.array([[0, 0, 0], [0, 1, 0], [0.1, 0, 0], [0, 0, 0.1]]))
    np.testing.assert_allclose(points, [[32, 120], [32, 20], [47, 120], [32, 120]], atol=1e-9)


def test_seen_from_the_side_a_person_walks_to_the_right():
    forward = view(np.pi / 2).project(np.array([0, 0, 0.1]))
    np.testing.assert_allclose(forward, [47, 120], atol=1e-9)


@pytest.mark.parametrize('yaw', [0.0, 1.0, 4.0])
def test_a_raised_camera_sees_near_things_lower(yaw):
    raised = view(yaw, 0.3)
    near = np.array([-np.sin(yaw), 0, np.cos(yaw)]) * 0.2
    assert raised.nearness(near[0], near[2]) == pytest.approx(0.2)
    assert raised.project(near)[1] - raised.project(-near)[1] == pytest.approx(
        100 * 0.4 * np.sin(0.3)
    )


def test_axes_are_the_images_of_unit_vectors():
    turned = view(0.7, 0.2)
    for axis, vector in ((turned.axis_x, (1, 0, 0)), (turned.axis_z, (0, 0, 1))):
        x, y = turned.project(np.array(vector, dtype=float)) - turned.origin
        assert axis == pytest.approx(complex(x, y))

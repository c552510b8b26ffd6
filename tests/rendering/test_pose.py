import numpy as np
import pytest

from passreid.rendering.identity import Body
from passreid.rendering.pose import ANKLE, Pose, build_skeleton, sample_pose

BODY = Body(shoulders=1.0, hips=1.0, girth=1.0, head=1.0, legs=0.0)


def test_the_lower_foot_stands_on_the_ground_and_limbs_keep_their_length():
    lengths = []
    for seed in range(50):
        joints = build_skeleton(BODY, sample_pose(np.random.default_rng(seed)))
        clearance = min(joints.ankle[:, 1].min() - ANKLE, joints.toe[:, 1].min() - 0.018)
        assert clearance == pytest.approx(0, abs=1e-9)
        limbs = joints.knee - joints.hip, joints.ankle - joints.knee, joints.wrist - joints.elbow
        lengths.append([np.linalg.norm(limb, axis=1) for limb in limbs])
    np.testing.assert_allclose(lengths, np.broadcast_to(lengths[0], np.shape(lengths)), rtol=0.02)


def test_arms_swing_against_the_legs():
    pose = Pose(phase=np.pi / 2, stride=0.4, swing=0.3, elbows=(0.2, 0.2), lean=0.0)
    skeleton = build_skeleton(BODY, pose)
    right, left = 0, 1
    assert skeleton.knee[right, 2] > 0.05 > -0.05 > skeleton.knee[left, 2]
    assert skeleton.elbow[right, 2] < 0 < skeleton.elbow[left, 2]

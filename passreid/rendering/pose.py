"""A walking skeleton."""

from dataclasses import dataclass

import numpy as np

from .identity import Body
from .randomness import Rng

ANKLE, KNEE, HIP, WAIST, SHOULDER, NECK = 0.045, 0.275, 0.5, 0.61, 0.8, 0.835
_UPPER_ARM, _FOREARM, _FOOT = 0.165, 0.15, 0.1


@dataclass(frozen=True)
class Pose:
    """The moment of a walk that a picture shows; angles are in radians."""

    phase: float
    stride: float  # Largest angle of the thigh; near 0 the person stands.
    swing: float  # Largest angle of the upper arm.
    elbows: tuple[float, float]  # Bend of the right and the left elbow.
    lean: float  # How far the shoulders are before the hips, in body units.


@dataclass(frozen=True)
class Skeleton:
    """Joint positions in body units; row 0 is the right side, row 1 the left, each (2, 3)."""

    hip: np.ndarray
    knee: np.ndarray
    ankle: np.ndarray
    toe: np.ndarray
    shoulder: np.ndarray
    elbow: np.ndarray
    wrist: np.ndarray
    rise: float  # How far the walking trunk is above (below: negative) its standing height.


def sample_pose(rng: Rng) -> Pose:
    """Draw a moment of a walk; one in six persons stands, some lift a hand."""
    standing = rng.random() < 1 / 6
    stride = rng.uniform(0.02, 0.1) if standing else rng.uniform(0.22, 0.5)
    elbows = rng.uniform(0.1, 0.6, 2)
    if rng.random() < 0.1:
        elbows[rng.integers(2)] = rng.uniform(1.6, 2.4)
    return Pose(
        phase=rng.uniform(0, 2 * np.pi),
        stride=stride,
        swing=stride * rng.uniform(0.5, 1.2),
        elbows=(float(elbows[0]), float(elbows[1])),
        lean=rng.uniform(-0.005, 0.03),
    )


def build_skeleton(body: Body, pose: Pose) -> Skeleton:
    """Place the joints of a walking body so that its lower foot stands on the ground."""
    sides = np.array([-1.0, 1.0])
    phases = pose.phase + np.array([0.0, np.pi])
    hip = np.stack([0.052 * body.hips * sides, np.full(2, HIP + body.legs), np.zeros(2)], axis=1)
    thigh = pose.stride * np.sin(phases)
    # The knee of the leg that moves forward is bent, the standing one nearly straight.
    shin = thigh - 0.06 - 1.5 * pose.stride * np.maximum(np.cos(phases), 0) ** 1.5
    spread = 0.02 * sides
    knee = hip + _segment(thigh, HIP + body.legs - KNEE, spread)
    ankle = knee + _segment(shin, KNEE - ANKLE, spread * 0.3)
    tilt = 0.5 * np.minimum(shin, 0)
    outwards = 0.25 * sides
    toe = ankle + _FOOT * np.stack(
        [np.sin(outwards), np.sin(tilt) - 0.22, np.cos(outwards) * np.cos(tilt)], axis=1
    )
    drop = min(ankle[:, 1].min() - ANKLE, toe[:, 1].min() - 0.018)
    for joints in (hip, knee, ankle, toe):
        joints[:, 1] -= drop

    swing = -pose.swing * np.sin(phases)
    height, lean = np.full(2, SHOULDER - 0.016 - drop), np.full(2, pose.lean)
    shoulder = np.stack([0.108 * body.shoulders * sides, height, lean], axis=1)
    outwards = (0.025 + 0.03 * (body.girth - 0.8)) * sides
    elbow = shoulder + _segment(swing, _UPPER_ARM, outwards)
    wrist = elbow + _segment(swing + np.array(pose.elbows), _FOREARM, outwards * -0.2)
    rise = float(hip[0, 1]) - HIP - body.legs
    return Skeleton(hip, knee, ankle, toe, shoulder, elbow, wrist, rise)


def _segment(angle: np.ndarray, length: float, sideways: np.ndarray) -> np.ndarray:
    """Return the vectors (2, 3) of two hanging segments swung forward by an angle."""
    return np.stack([sideways, -length * np.cos(angle), length * np.sin(angle)], axis=1)

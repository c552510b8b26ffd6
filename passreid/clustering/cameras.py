"""Features without what a camera adds to all of its images."""

from typing import Any

import numpy as np

from .neighbors import check_features, to_tensor

# Images of the whole set that count besides those of a camera.
PRIOR = 16


# Mean and deviation ``(D,)`` of each camera, and under -1 those of all images.
CameraScales = dict[int, tuple[np.ndarray, np.ndarray]]


def camera_scales(features: Any, cam_ids: Any) -> CameraScales:
    """Compute the means and deviations by which :func:`standardize_by_camera` standardises."""
    matrix, cameras = _check(features, cam_ids)
    mean, variance = matrix.mean(0, dtype=np.float64), matrix.var(0, dtype=np.float64)
    moments = {-1: (mean, variance)}
    for camera in np.unique(cameras[cameras != -1]).tolist():
        own = matrix[cameras == camera].astype(np.float64)
        weight = len(own) + PRIOR
        own_mean = (own.sum(0) + PRIOR * mean) / weight
        moments[camera] = own_mean, (len(own) * own.var(0) + PRIOR * variance) / weight
    return {camera: (m, np.sqrt(v).clip(1e-6)) for camera, (m, v) in moments.items()}


def standardize_by_camera(
    features: Any, cam_ids: Any, scales: CameraScales | None = None
) -> np.ndarray:
    """Take off the mean of each camera and divide by its deviation, for each dimension.

    Two images of one camera look alike by its light and background, whoever they show. Means and
    deviations of a camera with few images are drawn towards those of all images; images of which
    the camera is not known get the latter.

    Args:
        features (np.ndarray | Tensor): ``(N, D)``, finite.
        cam_ids (np.ndarray | Tensor): Cameras ``(N,)``; -1 where unknown.
        scales (CameraScales, optional): Those of other features, such as of a gallery. Cameras
            that they do not have are unknown. Defaults to None: those of these features.

    Returns:
        np.ndarray: ``(N, D)`` float32 of unit length.

    Raises:
        ValueError: If the features are not a finite matrix, or there are not as many cameras.
    """
    matrix, cameras = _check(features, cam_ids)
    scales = camera_scales(matrix, cameras) if scales is None else scales
    standard = np.empty_like(matrix)
    for camera in np.unique(cameras).tolist():
        at = cameras == camera
        mean, deviation = scales.get(camera, scales[-1])
        standard[at] = (matrix[at] - mean) / deviation
    return standard / np.linalg.norm(standard, axis=1, keepdims=True).clip(1e-12)


def _check(features: Any, cam_ids: Any) -> tuple[np.ndarray, np.ndarray]:
    matrix = check_features('features', features, 'cpu').numpy()
    cameras = to_tensor(cam_ids).cpu().numpy()
    if cameras.shape != (len(matrix),):
        raise ValueError(f'cam_ids have shape {cameras.shape}, expected ({len(matrix)},)')
    return matrix, cameras

"""Features without what a camera adds to all of its images."""

from typing import Any

import numpy as np
import torch

from .neighbors import check_features, to_tensor

# Images of the whole set that count besides those of a camera.
PRIOR = 16


# Mean and deviation ``(D,)`` of each camera, and under -1 those of all images.
CameraScales = dict[int, tuple[np.ndarray, np.ndarray]]


def camera_scales(features: Any, cam_ids: Any) -> CameraScales:
    """Compute the means and deviations by which :func:`standardize_by_camera` standardises."""
    matrix, cameras = _check(features, cam_ids)
    mean, variance = _moments(matrix)
    moments = {-1: (mean, variance)}
    for camera in np.unique(cameras[cameras != -1]).tolist():
        own = matrix[cameras == camera]
        shares = np.array([len(own), PRIOR]) / (len(own) + PRIOR)
        pairs = zip(_moments(own), (mean, variance), strict=True)
        moments[camera] = tuple(shares @ np.stack(pair) for pair in pairs)
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
        standard[at] = (matrix[at] - mean.astype(np.float32)) / deviation.astype(np.float32)
    standard /= np.linalg.norm(standard, axis=1, keepdims=True).clip(1e-12)
    return standard


def _moments(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance ``(D,)`` float64, without a copy of the matrix."""
    variance, mean = torch.var_mean(torch.from_numpy(matrix), dim=0, correction=0)
    return mean.double().numpy(), variance.double().numpy()


def _check(features: Any, cam_ids: Any) -> tuple[np.ndarray, np.ndarray]:
    matrix = check_features('features', features, 'cpu').numpy()
    cameras = to_tensor(cam_ids).cpu().numpy()
    if cameras.shape != (len(matrix),):
        raise ValueError(f'cam_ids have shape {cameras.shape}, expected ({len(matrix)},)')
    return matrix, cameras

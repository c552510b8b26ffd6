"""Features without what a camera adds to all of its images."""

from typing import Any

import numpy as np

from .neighbors import check_features, to_tensor

# Images of the whole set that count besides those of a camera.
PRIOR = 16


def standardize_by_camera(features: Any, cam_ids: Any) -> np.ndarray:
    """Take off the mean of each camera and divide by its deviation, for each dimension.

    Two images of one camera look alike by its light and background, whoever they show. Means and
    deviations of a camera with few images are drawn towards those of all images; images of which
    the camera is not known get the latter.

    Args:
        features (np.ndarray | Tensor): ``(N, D)``, finite.
        cam_ids (np.ndarray | Tensor): Cameras ``(N,)``; -1 where unknown.

    Returns:
        np.ndarray: ``(N, D)`` float32 of unit length.

    Raises:
        ValueError: If the features are not a finite matrix, or there are not as many cameras.
    """
    matrix = check_features('features', features, 'cpu').numpy()
    cameras = to_tensor(cam_ids).cpu().numpy()
    if cameras.shape != (len(matrix),):
        raise ValueError(f'cam_ids have shape {cameras.shape}, expected ({len(matrix)},)')
    mean, variance = matrix.mean(0, dtype=np.float64), matrix.var(0, dtype=np.float64)
    standard = np.empty_like(matrix)
    for camera in np.unique(cameras):
        at = cameras == camera
        own_mean, own_variance = mean, variance
        if camera != -1:
            own, count = matrix[at].astype(np.float64), at.sum()
            own_mean = (own.sum(0) + PRIOR * mean) / (count + PRIOR)
            own_variance = (count * own.var(0) + PRIOR * variance) / (count + PRIOR)
        standard[at] = (matrix[at] - own_mean) / np.sqrt(own_variance).clip(1e-6)
    return standard / np.linalg.norm(standard, axis=1, keepdims=True).clip(1e-12)

"""Small copies of images."""

import base64

import cv2

from passreid.datasets.transforms import LoadPersonImage

_QUALITY = 88


def thumbnail_uri(path: str, height: int = 256) -> str | None:
    """Return a small copy of an image that a page holds in itself.

    Args:
        path (str): The image.
        height (int): Its height at most, in pixels. Defaults to 256.

    Returns:
        str | None: 'data:image/jpeg;base64,...'; None when the image cannot be read.
    """
    try:
        load = LoadPersonImage()
        image = load.decode(load.read_file(path))
    # Of any type, as LoadPersonImage says.
    except Exception:
        return None
    if image.shape[0] > height:
        size = (max(1, round(image.shape[1] * height / image.shape[0])), height)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return f'data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}'

"""Frames of a camera, and the crops of boxes in them."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from passreid.datasets.storage.decoding import LoadPersonImage
from passreid.datasets.storage.image_files import list_images


def read_frames(source: str | Path, wanted: Collection[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Read some frames of a video or of a folder of images, in their order.

    The number of an image is the name of its file, such as ``000001.jpg``, or where no name is a
    number its place in their order, from 1; that of the first frame of a video is 1.

    Args:
        source (str | Path): The video or the folder.
        wanted (Collection[int]): Numbers of frames.

    Yields:
        tuple[int, np.ndarray]: Number and frame ``(H, W, 3)`` uint8, BGR.

    Raises:
        FileNotFoundError: When there is no such file or folder.
        ValueError: When a frame is missing, has no number or that of another one, or another size
            than those before; names it.
    """
    missing, size = set(wanted), None
    for number, frame in (_images if Path(source).is_dir() else _video)(Path(source), missing):
        size = size or frame.shape
        if frame.shape != size:
            raise ValueError(
                f'{source}: frame {number} is {frame.shape[1]} x {frame.shape[0]} pixels, those '
                f'before are {size[1]} x {size[0]}: boxes would lie elsewhere'
            )
        missing.discard(number)
        yield number, frame
    if missing:
        raise ValueError(f'{source} has no frame {min(missing)}, of which the tracks have boxes')


def _images(folder: Path, wanted: Collection[int]) -> Iterator[tuple[int, np.ndarray]]:
    load, names = LoadPersonImage(), list_images(str(folder))
    if not names:
        raise ValueError(f'{folder} holds no frames')
    strange = [name for name in names if not Path(name).stem.isdecimal()]
    if strange and len(strange) < len(names):
        raise ValueError(f'{folder}: other frames have a number for a name, {strange[0]} has none')
    numbered = not strange
    numbers = [int(Path(name).stem) if numbered else n for n, name in enumerate(names, 1)]
    if len({*numbers}) < len(numbers):
        raise ValueError(f'{folder} has two frames of one number')
    for number, name in sorted(zip(numbers, names, strict=True)):
        if number in wanted:
            yield number, load(dict(img_path=str(folder / name)))['img']


def _video(path: Path, wanted: Collection[int]) -> Iterator[tuple[int, np.ndarray]]:
    if not path.is_file():
        raise FileNotFoundError(f'there is no video and no folder of frames {path}')
    video, last = cv2.VideoCapture(str(path)), max(wanted, default=0)
    if not video.isOpened():
        raise ValueError(f'{path} is no video that OpenCV can read')
    for number in range(1, last + 1):
        if not video.grab():
            break
        if number in wanted:
            yield number, video.retrieve()[1]
    video.release()


def crop_boxes(frame: np.ndarray, boxes: Any, margin: float = 0.0) -> list[np.ndarray]:
    """Cut boxes out of a frame, as far as they lie in it.

    Args:
        frame (np.ndarray): ``(H, W, 3)`` uint8.
        boxes (np.ndarray | supervision.Detections): ``(N, 4)``: ``x1, y1, x2, y2`` in pixels.
        margin (float): What is added to height and width, as a share of them, half of it on each
            side. Defaults to 0.

    Raises:
        ValueError: When a box is empty, not finite, or outside the frame; names its index.
    """
    if getattr(frame, 'dtype', None) != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        given = f'{getattr(frame, "dtype", type(frame).__name__)} {np.shape(frame)}'
        raise ValueError(f'a frame is (H, W, 3) uint8, not {given}')
    edges = box_edges(boxes, frame.shape[:2], margin)
    return [frame[y1:y2, x1:x2] for x1, y1, x2, y2 in edges]


def box_edges(
    boxes: Any, size: tuple[int, int], margin: float = 0.0, names: Sequence[str] | None = None
) -> np.ndarray:
    """Return ``(N, 4)`` int64, the pixels ``x1, y1, x2, y2`` that :func:`crop_boxes` cuts out.

    ``size`` is the height and width of the frame; ``names`` of the boxes are for the error.
    """
    if not 0 <= margin < np.inf:
        raise ValueError(f'margin is {margin}; it is a share of a box, from 0')
    corners = np.asarray(getattr(boxes, 'xyxy', boxes), dtype=np.float64)
    if corners.size == 0:
        return np.empty((0, 4), int)
    if corners.ndim != 2 or corners.shape[1] != 4:
        raise ValueError(f'boxes have shape {corners.shape}; expected is (N, 4): x1, y1, x2, y2')
    height, width = size
    grown = (corners[:, 2:] - corners[:, :2]) * margin / 2
    edges = np.concatenate([corners[:, :2] - grown, corners[:, 2:] + grown], axis=1)
    edges = np.rint(edges.clip(0, [width, height, width, height]))
    bad = ~(
        (edges[:, 2:] > edges[:, :2]).all(axis=1) & (corners[:, 2:] > corners[:, :2]).all(axis=1)
    )
    if bad.any():
        index = int(bad.argmax())
        name = names[index] if names else f'box {index}'
        values = ', '.join(f'{value:g}' for value in corners[index])
        raise ValueError(
            f'{name} ({values}) is empty or outside the frame of {width} x {height} pixels; '
            f'{bad.sum()} of {len(bad)} boxes are'
        )
    return edges.astype(int)


def visible_shares(boxes: np.ndarray) -> np.ndarray:
    """Return ``(N,)``: which share of each box ``(N, 4)`` the one nearer box hides that hides most.

    Of two people the nearer one stands lower in the frame.
    """
    x1, y1, x2, y2 = boxes.T[:, :, None]
    wide = np.minimum(x2, x2.T) - np.maximum(x1, x1.T)
    high = np.minimum(y2, y2.T) - np.maximum(y1, y1.T)
    covered = wide.clip(0) * high.clip(0) * (y2 < y2.T)
    return 1 - covered.max(axis=1) / ((x2 - x1) * (y2 - y1))[:, 0]


def sharpness(crop: np.ndarray) -> float:
    """Return the mean strength of edges of a crop, brought to one size, in gray levels."""
    gray = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), (32, 64))
    return float(np.abs(cv2.Laplacian(gray, cv2.CV_32F)).mean())

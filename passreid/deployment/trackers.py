"""How trackers feed a model, and what their configs have to say."""

from typing import Any, NamedTuple


class Tracker(NamedTuple):
    """What a program gives a model: arguments of ``ExportableModel``, and lines for its config."""

    options: dict[str, Any]
    usage: str  # With the places {path}, {height} and {width}.


TRACKERS = {
    'plain': Tracker(
        dict(input='uint8'),
        "onnxruntime.InferenceSession('{path}').run(None, dict(images=crops))\n"
        '# crops: RGB of uint8 (N, 3, {height}, {width})',
    ),
    'boxmot': Tracker(
        dict(input='imagenet'),
        'boxmot track --reid {path} --tracker botsort --detector yolo26n --source video.mp4\n'
        "# in Python: boxmot.reid.core.runtime.ReID('{path}')",
    ),
    'ultralytics': Tracker(
        dict(input='unit'),
        '# in a copy of botsort.yaml, for model.track(..., tracker="botsort.yaml"):\n'
        'with_reid: True\n'
        'model: {path}',
    ),
    'deepsort': Tracker(
        dict(input='bgr', layout='NHWC'),
        "session = onnxruntime.InferenceSession('{path}')\n"
        'encode = lambda crops: session.run(None, dict(images=crops))[0]\n'
        '# crops: BGR of uint8 (N, {height}, {width}, 3), as cv2.resize makes them',
    ),
}


def ultralytics_margin(box_size: tuple[int, int]) -> tuple[float, float]:
    """Return the shares of height and width that Ultralytics adds around boxes of a size.

    It enlarges each side of a box to 1.02 times its length and 10 pixels, whatever the size.

    Args:
        box_size (tuple[int, int]): Height and width in pixels of a typical box.
    """
    height, width = (1 - side / (1.02 * side + 10) for side in box_size)
    return height, width

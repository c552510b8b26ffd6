"""The overlapping horizontal areas of a person crop that the part tokens stand for."""


def part_areas(height: int, width: int, num_parts: int) -> list[tuple[int, int, int, int]]:
    """Compute the local areas of an image, from top to bottom.

    Each is as wide as the image and half as high; their tops are spread evenly over the upper half
    (``0, H/4, H/2`` with three parts), so that neighbours overlap. See section 3.2 of
    `PASS: Part-Aware Self-Supervised Pre-Training for Person Re-Identification
    <https://arxiv.org/abs/2203.03931>`_.

    Args:
        height (int): Height of the image in pixels.
        width (int): Width of the image in pixels.
        num_parts (int): Number of areas. 0 stands for no parts: the one area is the whole image.

    Returns:
        list[tuple[int, int, int, int]]: top, left, height and width of each area in pixels.

    Examples:
        >>> part_areas(256, 128, 3)
        [(0, 0, 128, 128), (64, 0, 128, 128), (128, 0, 128, 128)]
    """
    if num_parts == 0:
        return [(0, 0, height, width)]
    steps = max(num_parts - 1, 1)
    # An image one pixel high still has areas of one pixel.
    area_height = max(height // 2, 1)
    return [
        (part * height // (2 * steps) if height > 1 else 0, 0, area_height, width)
        for part in range(num_parts)
    ]

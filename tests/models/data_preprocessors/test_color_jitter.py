from itertools import permutations

import pytest
import torch
from torchvision.transforms import functional as reference

from passreid.models.data_preprocessors.color_jitter import (
    BRIGHTNESS,
    CONTRAST,
    SATURATION,
    adjust_hue_,
    color_jitter_,
)

ADJUST = {
    BRIGHTNESS: reference.adjust_brightness,
    CONTRAST: reference.adjust_contrast,
    SATURATION: reference.adjust_saturation,
}
# Of 255 grey levels; differences are rounding of float32.
TOLERANCE = {'rtol': 0, 'atol': 5e-3}


def _images(count):
    return torch.randint(0, 256, (count, 3, 9, 7), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize('shift', [-0.5, -0.37, -0.1, 0.0, 0.04, 0.1, 0.25, 0.5])
def test_hue_equals_torchvision_for_colours_all_over_the_cube(shift):
    levels = torch.tensor([0, 1, 50, 128, 200, 254, 255])
    colours = torch.cartesian_prod(levels, levels, levels).T.float().reshape(1, 3, 7, 49)
    expected = reference.adjust_hue(colours / 255, shift) * 255
    torch.testing.assert_close(adjust_hue_(colours, torch.tensor([shift])), expected, **TOLERANCE)


def test_jitter_equals_torchvision_in_all_24_orders():
    hue = 3
    orders = sorted(permutations(range(4)), key=lambda order: order.index(hue))
    images = _images(24).float()
    generator = torch.Generator().manual_seed(1)
    factors = 0.6 + 0.8 * torch.rand(24, 3, generator=generator)
    shifts = 0.2 * torch.rand(24, generator=generator) - 0.1
    expected = images.clone() / 255
    for index, order in enumerate(orders):
        for operation in order:
            adjust = ADJUST.get(operation, reference.adjust_hue)
            amount = shifts[index] if operation == hue else factors[index, operation]
            expected[index] = adjust(expected[index], amount.item())
    blends = torch.tensor([[step for step in order if step != hue] for order in orders])
    result = color_jitter_(
        images, blends, factors.gather(1, blends), shifts, hue_bounds=[0, 6, 12, 18, 24]
    )
    torch.testing.assert_close(result, expected * 255, **TOLERANCE)

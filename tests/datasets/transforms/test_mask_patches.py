import random

import numpy as np
import pytest

from passreid.datasets.transforms import MaskPatches, part_areas


def masks(count, height, width, seed, **options):
    """Mask ``count`` views of a grid, from one seed."""
    random.seed(seed)
    views = np.empty((count, 16 * height, 16 * width, 0), np.uint8)
    return MaskPatches(**options)({'views': {'global_views': views}})['views']['masks']


@pytest.mark.parametrize(
    ('name', 'height', 'width', 'options'),
    [
        ('16x8', 16, 8, {}),
        ('14x14', 14, 14, {}),
        ('16x8_fixed', 16, 8, dict(ratios=[0.3], variances=[0])),
    ],
)
def test_masks_equal_the_recorded_ones(reference, name, height, width, options):
    recorded = {
        k: v.numpy() for k, v in reference('ibot').items() if k.startswith(f'masks_{name}/')
    }
    found = masks(4000, height, width, int(recorded[f'masks_{name}/seed']), **options)
    np.testing.assert_array_equal(found[:48], recorded[f'masks_{name}/first'])
    counts = np.bincount(found.sum((1, 2)), minlength=height * width + 1)
    np.testing.assert_array_equal(counts, recorded[f'masks_{name}/count_histogram'])
    np.testing.assert_array_equal(found.mean(0), recorded[f'masks_{name}/cell_frequency'])


@pytest.mark.parametrize('num_parts', [1, 3, 4])
def test_blocks_of_a_view_lie_in_one_area(num_parts):
    found = masks(500, 16, 8, 0, num_parts=num_parts, ratios=[0.5], variances=[0.1])
    areas = part_areas(16, 8, num_parts)
    inside = np.zeros((len(areas), 16, 8), bool)
    for mask, (top, left, rows, columns) in zip(inside, areas, strict=True):
        mask[top : top + rows, left : left + columns] = True
    fits = ~(found[:, None] & ~inside).any((2, 3))
    assert fits.any(1).all()
    # Each area has its share of the views, of which some fit into no other.
    assert (fits & (fits.sum(1, keepdims=True) == 1)).any(0).all()
    shares = found.sum((1, 2)) / 64
    assert shares.max() <= 0.6 and shares.mean() == pytest.approx(0.5, abs=0.03)


def test_ratios_are_shares():
    with pytest.raises(ValueError, match=r'ratio 0\.3 \+- 0\.4'):
        MaskPatches(ratios=[0, 0.3], variances=[0, 0.4])

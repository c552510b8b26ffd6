import pytest

from passreid.datasets.transforms import part_areas


def test_three_areas_are_upper_middle_and_lower_half():
    assert part_areas(256, 128, 3) == [(0, 0, 128, 128), (64, 0, 128, 128), (128, 0, 128, 128)]


def test_odd_heights_round_down():
    assert part_areas(101, 33, 3) == [(0, 0, 50, 33), (25, 0, 50, 33), (50, 0, 50, 33)]


def test_no_parts_means_the_whole_image():
    assert part_areas(101, 33, 0) == [(0, 0, 101, 33)]


@pytest.mark.parametrize('num_parts', [1, 2, 3, 4, 7])
@pytest.mark.parametrize('height', [1, 2, 3, 64, 255])
def test_areas_are_ordered_and_inside_the_image(num_parts, height):
    areas = part_areas(height, 9, num_parts)
    assert len(areas) == num_parts
    tops = [area[0] for area in areas]
    assert tops == sorted(tops) and tops[0] == 0
    assert all(top + area_height <= height for top, _, area_height, _ in areas)
    if num_parts > 1 and height > 1:
        assert tops[-1] == height // 2

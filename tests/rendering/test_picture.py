"""Learning figures are only comparable when they come from the same pictures.

A checksum of pixels would differ between builds of opencv, which round the edge of a polygon or a
resized pixel differently. So 120 pictures are held by the mean colors of 8 x 4 blocks, before
JPEG encoding, within 2 gray levels; a change of wardrobe, pose, camera or random numbers moves
blocks by more. Who changes pictures on purpose raises ``GENERATOR_VERSION`` and runs
``python tests/rendered_pictures.py``.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
from rendered_pictures import FINGERPRINT, PICTURES, block_means, histogram_map

from passreid.rendering import DOMAINS, GENERATOR_VERSION, SyntheticSettings, render


def test_pictures_are_the_recorded_ones():
    recorded = json.loads(FINGERPRINT.read_text())
    assert recorded['generator_version'] == GENERATOR_VERSION
    means = np.stack([block_means(picture) for picture in PICTURES])
    difference = np.abs(means - np.array(recorded['block_means'])).max(axis=(1, 2, 3))
    changed = {
        index: round(float(difference[index]), 1) for index in np.flatnonzero(difference > 2)
    }
    assert not changed, 'picture: largest difference'


def test_a_picture_depends_on_its_numbers_alone():
    first, quality = render(PICTURES[0])
    for other in PICTURES[1:20]:
        render(other)
    again, quality_again = render(PICTURES[0])
    assert quality == quality_again
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize(
    'change', [{'seed': 1}, {'domain': 'b'}, {'person': 5}, {'index': 1}, {'camera': 3}]
)
def test_every_number_matters(change):
    image, _ = render(PICTURES[0])
    other, _ = render(replace(PICTURES[0], **change))
    assert np.abs(image.astype(int) - other).mean() > 3


@pytest.mark.parametrize('size', [(32, 16), (256, 128)])
def test_other_sizes_show_the_same_scene(size):
    image, _ = render(replace(PICTURES[0], size=size))
    assert image.shape == (*size, 3)
    assert image.dtype == np.uint8
    assert image.std() > 20


@pytest.mark.parametrize('domain', DOMAINS)
def test_color_histogram_is_neither_useless_nor_enough(domain):
    assert 0.15 < histogram_map(SyntheticSettings(domain=domain, test_ids=50)) < 0.60

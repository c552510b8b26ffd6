import numpy as np
import pytest

from passreid.visualization import attention_heights, draw_part_attention, overlay_attention


def maps(*places, shape=(4, 2)):
    """Attention (1, len(places), h, w), each all on one patch."""
    attention = np.zeros((1, len(places), *shape), np.float32)
    for token, place in enumerate(places):
        attention[0, token][place] = 1
    return attention


def test_heat_lies_where_the_token_looks():
    image = np.full((64, 32, 3), (200, 40, 90), np.uint8)
    overlay = overlay_attention(image, maps((3, 1))[0, 0])
    assert overlay.shape == image.shape and overlay.min() >= 0 and overlay.max() <= 1
    gray = overlay[8, 8]
    assert np.ptp(gray) < 1e-6
    assert gray[0] == pytest.approx((0.299 * 200 + 0.587 * 40 + 0.114 * 90) / 255, abs=0.01)
    hot = overlay[56, 24]
    assert hot[0] > hot[2] + 0.2 and hot[0] > 0.8
    assert np.isfinite(overlay_attention(image, np.zeros((4, 2)))).all()


def test_a_row_for_each_image_and_a_title_for_each_token():
    images = [np.zeros((64, 32, 3), np.uint8), np.zeros((50, 30, 3), np.uint8)]
    attention = np.concatenate([maps((0, 0), (1, 0)), maps((3, 0), (2, 1))])
    attention[1, 1] = 1 / 8
    np.testing.assert_allclose(attention_heights(attention), [[0.125, 0.375], [0.875, 0.5]])
    figure = draw_part_attention(images, attention, ['a.jpg', 'cost_$5_$6.jpg'], 'Where')
    cells = figure.axes
    assert len(cells) == 2 * 3
    titles = [cell.get_title() for cell in cells]
    assert titles == ['', '[CLS]  0.12', '[PART 1]  0.38', '', '[CLS]  0.88', '[PART 1]  0.50']
    assert cells[3].images[0].get_array().shape == (50, 30, 3)
    arrows = [cell.lines[0].get_ydata()[0] for cell in cells if cell.lines]
    np.testing.assert_allclose(arrows, [0.875, 0.625, 0.125, 0.5])
    assert cells[0].texts[0].get_text() == 'a.jpg'

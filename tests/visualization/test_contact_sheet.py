import cv2
import numpy as np
import pytest

from passreid.visualization import draw_contact_sheet, png_bytes
from passreid.visualization.contact_sheet import mount_image

RED, BLUE = (210, 30, 20), (20, 40, 200)
GREY, WHITE = [232] * 3, [255] * 3


def plain(colour=RED, height=40, width=20):
    return np.full((height, width, 3), colour, np.uint8)


def pixels(figure):
    data = np.frombuffer(png_bytes(figure), np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]


def tile_of(page, row, column, caption=0):
    """Pixels of a tile: 192 x 96, below a heading of 44, 8 apart, 14 from the edges."""
    top, left = 44 + row * (200 + caption), 14 + column * 104
    return page[top : top + 192, left : left + 96]


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize(
    ('shape', 'where'),
    [
        # Rows and columns of the tile that the image fills.
        ((40, 20), (slice(0, 192), slice(0, 96))),
        ((400, 200), (slice(0, 192), slice(0, 96))),
        ((128, 48), (slice(0, 192), slice(12, 84))),
        ((20, 40), (slice(72, 120), slice(0, 96))),
        ((3, 3000), (slice(95, 96), slice(0, 96))),
        ((3000, 2), (slice(0, 192), slice(47, 48))),
    ],
)
def test_images_of_any_shape_are_mounted_whole_and_centred(shape, where):
    tile = mount_image(plain(RED, *shape), 192, 96)
    expected = np.full((192, 96, 3), GREY, np.uint8)
    expected[where] = RED
    np.testing.assert_array_equal(tile, expected)


def test_shrinking_averages():
    stripes = np.zeros((384, 192, 3), np.uint8)
    stripes[::2] = 200
    assert (mount_image(stripes, 192, 96) == 100).all()


def test_tiles_stand_in_rows_in_the_order_of_the_images():
    images = [plain(BLUE if place in (0, 11) else RED) for place in range(12)]
    page = pixels(draw_contact_sheet(iter(images), 'cluster 3: 12 images'))
    assert page.shape == (44 + 2 * 200 - 8 + 14, 2 * 14 + 10 * 104 - 8, 3)
    for place in range(12):
        tile = tile_of(page, *divmod(place, 10))
        assert (tile == (BLUE if place in (0, 11) else RED)).all()
    assert (tile_of(page, 1, 2) == WHITE).all()
    # Between the tiles and around them.
    assert (page[44:236, 110:118] == WHITE).all() and (page[:, -14:] == WHITE).all()


def test_few_images_leave_room_for_the_title():
    page = pixels(draw_contact_sheet([plain()], 'cluster 1234: 123456 images, 60 shown'))
    assert page.shape == (44 + 192 + 14, 480, 3)
    assert (page[44:] == WHITE).all(axis=2).any()


def test_shape_of_the_sheet_is_free():
    page = pixels(draw_contact_sheet([plain()] * 5, '', columns=4, tile_size=(20, 200)))
    assert page.shape == (44 + 2 * 28 - 8 + 14, 2 * 14 + 4 * 208 - 8, 3)


def test_texts_stay_where_they_belong():
    captions = ['short.jpg', 'x' * 200, 'WWW/' * 20, 'a/b.png', 'e.jpg', 'f.jpg']
    title = 'cluster 12: 37 images, 24 shown. ' * 9
    figure = draw_contact_sheet([plain()] * 6, title, captions, columns=5)
    png_bytes(figure)
    cell = figure.axes[0]
    heading, *below = [text.get_window_extent() for text in cell.texts]
    height = figure.bbox.height
    assert heading.x0 >= 12 and heading.x1 <= figure.bbox.width - 12
    assert height - 44 < heading.y0 < heading.y1 < height
    for place, box in enumerate(below):
        row, column = divmod(place, 5)
        left, bottom = 14 + column * 104, height - (44 + row * 226 + 192)
        assert left - 1 <= box.x0 and box.x1 <= left + 96 + 1
        assert bottom - 26 - 8 < box.y0 < box.y1 <= bottom


def test_end_of_a_long_caption_is_shown():
    captions = ['camera_3/2023-11-04/track_000123/456.jpg', 'b/2023/track_0123/004.jpg', 'a.jpg']
    figure = draw_contact_sheet([plain()] * 3, 'title', captions)
    assert texts(figure)[1:] == [
        '…23-11-04/track\n_000123/456.jpg',
        'b/2023/track_01\n23/004.jpg',
        'a.jpg',
    ]


def test_signs_that_the_font_lacks_and_signs_with_a_meaning(recwarn):
    captions = ['é_$1$_$2.jpg', '\u4eba\n\udcff.jpg']
    figure = draw_contact_sheet([plain()] * 2, 'costs $5 or $6', captions)
    assert texts(figure) == ['costs $5 or $6', 'é_$1$_$2.jpg', '□□□.jpg']
    png_bytes(figure)
    assert not recwarn.list


def test_captions_make_room_for_themselves():
    one, other = (draw_contact_sheet([plain()] * 11, '', c) for c in (None, ['a'] * 11))
    # Releases of matplotlib round half a pixel up or down.
    assert pixels(other).shape[0] - pixels(one).shape[0] == pytest.approx(2 * 26, abs=1)
    assert (tile_of(pixels(other), 1, 0, caption=26)[1:-1] == RED).all()


@pytest.mark.parametrize(
    ('number', 'captions', 'columns', 'message'),
    [
        (0, None, 10, '0 images in 10 columns'),
        (1, None, 0, '1 images in 0 columns'),
        (2, ['a'], 10, '2 images, but 1 captions'),
    ],
)
def test_numbers_that_do_not_fit(number, captions, columns, message):
    with pytest.raises(ValueError, match=message):
        draw_contact_sheet([plain()] * number, '', captions, columns)

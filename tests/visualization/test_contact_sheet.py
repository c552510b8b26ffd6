import cv2
import numpy as np

from passreid.visualization import draw_contact_sheet, png_bytes

RED, BLUE = (210, 30, 20), (20, 40, 200)


def plain(color=RED, height=40, width=20):
    return np.full((height, width, 3), color, np.uint8)


def tile_of(page, row, column):
    """Pixels of a tile: 192 x 96, below a heading of 44, 8 apart, 14 from the edges."""
    top, left = 44 + row * 200, 14 + column * 104
    return page[top : top + 192, left : left + 96]


def test_tiles_stand_in_rows_and_show_images_whole_and_in_the_middle():
    images = [plain()] * 10 + [plain(BLUE, 128, 48), plain(BLUE, 3, 3000)]
    png = png_bytes(draw_contact_sheet(iter(images), 'cluster 3: 12 images'))
    page = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert page.shape == (44 + 2 * 200 - 8 + 14, 2 * 14 + 10 * 104 - 8, 3)
    assert all((tile_of(page, 0, column) == RED).all() for column in range(10))
    for column, where in enumerate([(slice(0, 192), slice(12, 84)), (slice(95, 96), slice(0, 96))]):
        expected = np.full((192, 96, 3), 232, np.uint8)
        expected[where] = BLUE
        np.testing.assert_array_equal(tile_of(page, 1, column), expected)
    assert (tile_of(page, 1, 2) == 255).all()


def test_texts_stay_where_they_belong():
    captions = ['camera_3/2023-11-04/track_000123/456.jpg', 'é_$1$_$2.jpg', 'a\n\udcff.jpg']
    captions += ['W' * 200, 'e.jpg', 'f.jpg']
    figure = draw_contact_sheet([plain()] * 6, 'cluster 12: $5 or $6', captions, columns=5)
    texts = [text.get_text() for text in figure.texts]
    assert texts[:2] == ['cluster 12: $5 or $6', '…23-11-04/track\n_000123/456.jpg']
    assert texts[2:4] == ['é_$1$_$2.jpg', 'a\\n\\udcff.jpg']
    heading, *below = [text.get_window_extent() for text in figure.texts]
    height = figure.bbox.height
    assert height - 44 < heading.y0 < heading.y1 < height
    for place, box in enumerate(below):
        row, column = divmod(place, 5)
        left, bottom = 14 + column * 104, height - (44 + row * 226 + 192)
        assert left - 1 <= box.x0 and box.x1 <= left + 96 + 1
        assert bottom - 26 - 8 < box.y0 < box.y1 <= bottom

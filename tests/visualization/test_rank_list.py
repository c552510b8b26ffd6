import cv2
import numpy as np
import pytest
from matplotlib.colors import to_hex

from passreid.visualization import RankedItem, RankedQuery, draw_rank_list, png_bytes

BLUE, YELLOW = (200, 40, 20), (30, 220, 240)


@pytest.fixture
def image(tmp_path):
    def write(name, color=BLUE):
        path = tmp_path / name
        cv2.imwrite(str(path), np.full((32, 16, 3), color, np.uint8))
        return str(path)

    return write


@pytest.fixture
def query(image):
    items = [
        RankedItem(image('same.png', YELLOW), 3, 1, 0.25),
        RankedItem(image('other.png'), 4, -1, 0.5),
    ]
    return RankedQuery(image('query.png'), 3, 0, 0.75, items)


def words(figure):
    return [text.get_text() for text in figure.texts]


def frames(figure):
    spines = [axes.spines['top'] for axes in figure.axes]
    return [(to_hex(spine.get_edgecolor()), spine.get_linestyle()) for spine in spines]


def test_row_shows_what_was_found(query):
    figure = draw_rank_list([query], title='The title')
    found = words(figure)
    assert found[:2] == ['The title', 'query.png    id 3    cam 0    AP 75.0%']
    assert {'query', '1 ✓', '2 ✗', '0.25', 'id 3, cam 1', '0.5', 'id 4, cam ?'} <= set(found)
    _, right, wrong = frames(figure)
    assert right == ('#008a5e', '-') and wrong[0] == '#d0310e' and wrong[1] != '-'
    for axes, color in zip(figure.axes, (BLUE, YELLOW, BLUE), strict=True):
        tile = axes.get_images()[0].get_array()
        assert tile.shape == (32, 16, 3) and tuple(tile[0, 0]) == color[::-1]


def test_image_that_cannot_be_read_is_named(query, tmp_path):
    (tmp_path / 'b.jpg').write_bytes(b'no image')
    items = [RankedItem(str(tmp_path / name), 9, 0, 0.1) for name in ('a.jpg', 'b.jpg')]
    _, *tiles = draw_rank_list([RankedQuery(query.img_path, 3, 0, 0.5, items)]).axes
    assert [tile.texts[0].get_text() for tile in tiles] == ['missing:\na.jpg', 'unreadable:\nb.jpg']
    assert not any(tile.get_images() for tile in tiles)


def test_texts_do_not_overlap(image):
    path = image('a.png')
    items = [RankedItem(path, 20231104 + n, 11, 0.123 * n) for n in range(10)]
    query = RankedQuery(image('x.png'), 20231104, 12, 0.5, items)
    unmatched = RankedQuery(image('y.png'), 8, 0, float('nan'), items[:1])
    figure = draw_rank_list([query, unmatched], title='Worst of 100 queries')
    assert any(text.endswith('no match in the gallery') for text in words(figure))
    png_bytes(figure)
    boxes = [part.get_window_extent() for part in (*figure.texts, *figure.axes)]
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:number])
        assert box.x0 >= 0 and box.y0 >= 0
        assert box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1


def test_people_of_whom_nothing_is_known(image):
    items = [
        RankedItem(image('a.png'), None, 2, similarity=0.834, time=1_700_000_000.0),
        RankedItem(image('b.png'), 4, -1, similarity=-0.1),
    ]
    query = RankedQuery('array', None, -1, None, items, image=np.zeros((32, 16, 3), np.uint8))
    figure = draw_rank_list([query, RankedQuery(items[0].img_path, None, 3, None, [])])
    first = ['array', 'query', '1', 'similarity 0.83', 'cam 2', '2023-11-14 22:13:20']
    second = ['2', 'similarity -0.10', 'id 4, cam ?']
    nothing = ['a.png    cam 3', 'query']
    legend = ['most similar first; below: similarity, camera']
    assert words(figure) == first + second + nothing + legend
    assert set(frames(figure)[1:3]) == {('#8a8a8a', '-')}

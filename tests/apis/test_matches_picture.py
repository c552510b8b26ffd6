import cv2
import numpy as np
import pytest

from passreid.apis import matches_picture
from passreid.apis.matches_picture import draw_matches
from passreid.search import GalleryRecord, Match

RED = np.full((32, 16, 3), (0, 0, 255), np.uint8)


@pytest.fixture
def drawn(monkeypatch):
    """Remember the rows of the pictures."""
    rows = []
    draw = matches_picture.draw_rank_list

    def remember(queries):
        rows.extend(queries)
        return draw(queries)

    monkeypatch.setattr(matches_picture, 'draw_rank_list', remember)
    return rows


def test_a_picture_for_each_query(tmp_path, drawn):
    cv2.imwrite(str(tmp_path / 'query.png'), RED)
    query = str(tmp_path / 'query.png')
    match = Match(GalleryRecord(query, cam_id=3, time=60.0), 0.75)
    out = tmp_path / 'new' / 'pictures'
    paths = draw_matches([query, RED, query], [[match], [], [match, match]], out)
    assert paths == [out / name for name in ('query.png', 'query 1.png', 'query-2.png')]
    widths = [cv2.imread(str(path)).shape[1] for path in paths]
    assert min(widths) > 300
    (item,) = drawn[0].items
    assert (item.img_path, item.pid, item.cam_id) == (query, None, 3)
    assert (item.similarity, item.time) == (0.75, 60)
    assert len(drawn[2].items) == 2


def test_arrays_are_turned_to_rgb(tmp_path, drawn):
    match = Match(GalleryRecord('array 0'), 1.0)
    draw_matches([RED], [[match]], tmp_path, {'array 0': RED // 2})
    assert tuple(drawn[0].image[0, 0]) == (255, 0, 0)
    assert tuple(drawn[0].items[0].image[0, 0]) == (127, 0, 0)

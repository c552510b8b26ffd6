import numpy as np
import pytest

from passreid.apis.folder_gallery import open_folder_gallery
from passreid.apis.gallery_index import IndexSummary
from passreid.search import GalleryRecord


class Update:
    """Adds one image unless it is there."""

    def __init__(self):
        self.calls = []

    def __call__(self, store):
        self.calls.append(len(store))
        if len(store):
            return IndexSummary(unchanged=1)
        store.add(np.ones((1, store.dim)), [GalleryRecord('a.jpg')])
        store.flush()
        return IndexSummary(added=1)


@pytest.fixture
def update():
    return Update()


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / 'images'
    folder.mkdir()
    return folder


def test_features_are_kept_with_the_images(images, update, log):
    store = open_folder_gallery(images, 3, 'a' * 32, update)
    assert len(store) == 1
    (place,) = (images / '.passreid_cache').glob('gallery-*/')
    text = log()
    assert f'{images}: no features yet; those of this one go to {place}' in text
    assert '1 added, 0 updated' in text
    assert len(open_folder_gallery(images, 3, 'a' * 32, update)) == 1
    assert update.calls == [0, 1]
    assert log().count('no features yet') == 1


def test_another_model_has_features_of_its_own(images, update, log):
    for model in ('a' * 32, 'b' * 32, 'a' * 32):
        store = open_folder_gallery(images, 3, model, update)
        assert (store.model, len(store)) == (model, 1)
    assert update.calls == [0, 0, 1]
    assert 'features of another model only' in log()


def test_elsewhere(images, update, tmp_path):
    elsewhere = tmp_path / 'new' / 'place'
    open_folder_gallery(images, 3, 'a' * 32, update, elsewhere)
    open_folder_gallery(images, 3, 'a' * 32, update, str(elsewhere))
    assert update.calls == [0, 1]
    assert list(images.iterdir()) == []


def test_folders_that_share_a_place(images, update, tmp_path):
    other = tmp_path / 'others'
    other.mkdir()
    for folder in (images, other):
        open_folder_gallery(folder, 3, 'a' * 32, update, tmp_path / 'cache')
    assert update.calls == [0, 0]


def test_damaged_features_are_made_anew(images, update, log):
    open_folder_gallery(images, 3, 'a' * 32, update)
    (state,) = images.rglob('gallery.json')
    state.write_text('{')
    assert len(open_folder_gallery(images, 3, 'a' * 32, update)) == 1
    assert update.calls == [0, 0]
    assert 'is damaged' in (text := log()) and 'it is made anew' in text


def test_no_folder(tmp_path, update):
    with pytest.raises(FileNotFoundError, match=f'no folder {tmp_path}/gone to search'):
        open_folder_gallery(tmp_path / 'gone', 3, 'a' * 32, update)

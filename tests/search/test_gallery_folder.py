import json
import pickle

import numpy as np
import pytest
from random_galleries import DIM, MODEL, random_features, records

from passreid.search import MemoryStore
from passreid.search.gallery_folder import GalleryFolder


@pytest.fixture
def folder(tmp_path):
    with MemoryStore(DIM, MODEL, tmp_path / 'gallery', 'cpu') as store:
        store.add(random_features(5), records(5))
    return tmp_path / 'gallery'


def test_state_is_readable_text(folder):
    assert json.loads((folder / 'gallery.json').read_text()) == dict(
        version=1, dim=DIM, model=MODEL, parts=['part-000001'], layout=0, index=None
    )


def test_other_folders_and_files_are_refused(tmp_path):
    (tmp_path / 'crop.jpg').touch()
    with pytest.raises(ValueError, match=r'is no gallery: it holds crop\.jpg\. Name a new'):
        GalleryFolder(tmp_path)
    with pytest.raises(ValueError, match='is a file: a gallery needs a folder'):
        GalleryFolder(tmp_path / 'crop.jpg')


def test_empty_folder_will_do(tmp_path):
    assert GalleryFolder(tmp_path).read() is None


def test_newer_format_is_refused(folder):
    entries = json.loads((folder / 'gallery.json').read_text())
    (folder / 'gallery.json').write_text(json.dumps(dict(entries, version=2)))
    with pytest.raises(ValueError, match='has the format 2, but 1 is known'):
        MemoryStore(folder=folder)


@pytest.mark.parametrize('text', ['', '[]', '{"version": 1}', '{"version": 1, "parts": 3}'])
def test_damaged_state_is_named(folder, text):
    (folder / 'gallery.json').write_text(text)
    with pytest.raises(ValueError, match=r'gallery\.json is damaged .* index the images anew'):
        MemoryStore(folder=folder)


@pytest.mark.parametrize('name', ['features.npy', 'records.npz'])
def test_damaged_part_is_named(folder, name):
    file = folder / 'part-000001' / name
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match=rf'{name} is damaged'):
        MemoryStore(folder=folder)


def test_missing_part_is_named(folder):
    (folder / 'part-000001' / 'features.npy').unlink()
    with pytest.raises(ValueError, match='is damaged: it lacks part-000001'):
        MemoryStore(folder=folder)


def test_part_of_another_shape_is_named(folder):
    np.save(folder / 'part-000001' / 'features.npy', random_features(4))
    with pytest.raises(ValueError, match=r'features \(4, 12\) float32 of 5 images'):
        MemoryStore(folder=folder)


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ('it was unpickled',))


@pytest.mark.parametrize('name', ['features.npy', 'records.npz'])
def test_nothing_is_unpickled(folder, name):
    file = folder / 'part-000001' / name
    if name.endswith('.npy'):
        np.save(file, np.array([Bomb()], object), allow_pickle=True)
    else:
        np.savez(file, paths=np.array([Bomb()], object))
    with pytest.raises(ValueError, match='is damaged'):
        MemoryStore(folder=folder)
    file.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match='is damaged'):
        MemoryStore(folder=folder)


def test_lock_can_be_released_by_another_thread(folder):
    from concurrent.futures import ThreadPoolExecutor

    store = MemoryStore(folder=folder, device='cpu')
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(store.delete, ['0001.jpg']).result() == 1
    store.flush()
    assert len(MemoryStore(folder=folder)) == 4


@pytest.mark.parametrize(
    'entries',
    [
        {'parts': ['../../etc']},
        {'parts': ['/etc']},
        {'parts': [3]},
        {'parts': ['part-000001', 'part-000001']},
        {'dim': '4'},
        {'dim': -4},
        {'layout': '../x'},
        {'model': 7},
        {'index': 7},
    ],
)
def test_state_of_strangers_is_refused(folder, entries):
    file = folder / 'gallery.json'
    file.write_text(json.dumps(json.loads(file.read_text()) | entries))
    with pytest.raises(ValueError, match=f'{file} is damaged'):
        GalleryFolder(folder).read()

import os
from pathlib import Path

import numpy as np
import pytest

from passreid.apis import gallery_index
from passreid.apis.gallery_index import IndexSummary, record_path, update_gallery
from passreid.datasets.storage.decoding import BadImageError, TooManyBadImagesError
from passreid.search import GalleryRecord, LocalStore, SearchFilter


class Extract:
    """Makes a feature of the number in a file, two files at a time, and counts what it read."""

    def __init__(self):
        self.read = []
        self.stop_after = None

    def __call__(self, paths):
        for start in range(0, len(paths), 2):
            rows, features, unreadable = [], [], {}
            for row, path in enumerate(paths[start : start + 2], start):
                self.read.append(os.path.basename(path))
                if self.stop_after is not None and len(self.read) > self.stop_after:
                    raise KeyboardInterrupt
                text = Path(path).read_text()
                if text.isdecimal():
                    rows.append(row)
                    features.append([1.0, float(text)])
                else:
                    unreadable[row] = BadImageError(path, 'torn')
            yield rows, np.array(features, np.float32).reshape(-1, 2), unreadable


@pytest.fixture
def extract():
    return Extract()


@pytest.fixture
def store():
    with LocalStore(2, 'a model') as opened:
        yield opened


@pytest.fixture
def folder(tmp_path):
    """Five files with the numbers 0 to 4, the last in a folder of its own."""
    (tmp_path / 'images' / 'more').mkdir(parents=True)
    for number in range(4):
        (tmp_path / 'images' / f'{number}.jpg').write_text(str(number))
    (tmp_path / 'images' / 'more' / '4.jpg').write_text('4')
    return tmp_path / 'images'


def change(path, text):
    """Write a file anew; times of change are as coarse as some file systems have them."""
    path.write_text(text)
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))


def names(store):
    return sorted(os.path.basename(path) for path in store.stamps())


def test_only_what_is_new_or_changed_is_read(extract, store, folder):
    calls = []
    progress = lambda *call: calls.append(call)  # noqa: E731
    summary = update_gallery(extract, folder, store, progress=progress)
    assert summary == IndexSummary(added=5) and calls == [(2, 5), (4, 5), (5, 5)]
    assert extract.read == ['0.jpg', '1.jpg', '2.jpg', '3.jpg', '4.jpg']
    assert update_gallery(extract, folder, store) == IndexSummary(unchanged=5)
    assert len(extract.read) == 5
    change(folder / '1.jpg', '9')
    (folder / '2.jpg').unlink()
    (folder / 'more' / '5.jpg').write_text('5')
    summary = update_gallery(extract, folder, store)
    assert summary == IndexSummary(added=1, updated=1, deleted=1, unchanged=3)
    assert str(summary) == '1 added, 1 updated, 1 deleted, 3 unchanged, 0 unreadable'
    assert extract.read[5:] == ['1.jpg', '5.jpg']
    assert names(store) == ['0.jpg', '1.jpg', '3.jpg', '4.jpg', '5.jpg']
    ((best,),) = store.search(np.array([[1.0, 9.0]]), topk=1)
    assert best.record.path == str(folder / '1.jpg')
    assert best.similarity == pytest.approx(1)


def test_other_folders_are_left_alone(extract, store, folder, tmp_path):
    other = tmp_path / 'images2'
    other.mkdir()
    (other / 'x.jpg').write_text('1')
    update_gallery(extract, other, store)
    assert update_gallery(extract, folder, store) == IndexSummary(added=5)
    (folder / '0.jpg').unlink()
    assert update_gallery(extract, folder / 'more', store) == IndexSummary(unchanged=1)
    assert update_gallery(extract, folder, store) == IndexSummary(deleted=1, unchanged=4)
    assert names(store) == ['1.jpg', '2.jpg', '3.jpg', '4.jpg', 'x.jpg']


def test_list_of_files(extract, store, folder):
    update_gallery(extract, folder, store)
    files = [folder / '0.jpg', folder / '1.jpg', folder / '0.jpg']
    assert update_gallery(extract, files, store) == IndexSummary(unchanged=2)
    (folder / '1.jpg').unlink()
    # The missing file that was never there is named, the one that was is gone.
    (folder / '3.jpg').rename(folder / '6.jpg')
    files += [folder / '5.jpg', folder / '6.jpg']
    failed = {str(folder / '5.jpg'): 'No such file or directory'}
    summary = update_gallery(extract, files, store)
    assert summary == IndexSummary(added=1, deleted=1, unchanged=1, failed=failed)


def test_ways_to_a_folder(extract, store, folder, tmp_path, monkeypatch):
    (tmp_path / 'link').symlink_to(folder)
    update_gallery(extract, folder, store)
    monkeypatch.chdir(tmp_path)
    for way in ('images', tmp_path / 'link'):
        assert update_gallery(extract, way, store) == IndexSummary(unchanged=5)
    assert record_path(tmp_path / 'link' / '0.jpg') == str(folder / '0.jpg')


def test_records_of_a_function(extract, store, folder):
    def record(path):
        number = int(os.path.basename(path)[0])
        return GalleryRecord('ignored', number, 10.0 * number, {'odd': number % 2})

    assert update_gallery(extract, folder, store, record).added == 5
    where = SearchFilter(cameras=[3, 4], fields={'odd': 1})
    (found,) = store.search(np.array([[1.0, 3.0]]), 5, where)
    assert [(m.record.path, m.record.time) for m in found] == [(str(folder / '3.jpg'), 30)]
    assert update_gallery(extract, folder, store, record) == IndexSummary(unchanged=5)
    # Other records of the same files.
    records = [GalleryRecord(str(folder / '2.jpg'), cam_id=7)]
    assert update_gallery(extract, folder, store, records).updated == 5
    (found,) = store.search(np.array([[1.0, 2.0]]), 9, SearchFilter(cameras=[7]))
    assert [match.record.path for match in found] == [str(folder / '2.jpg')]


@pytest.fixture
def torn(folder):
    for number in (1, 3):
        (folder / f'{number}.jpg').write_text('not a number')
    return folder


def test_unreadable_images_are_named_and_left_out(extract, store, torn, log, monkeypatch):
    monkeypatch.setattr(gallery_index, '_NAMES_LOGGED', 1)
    summary = update_gallery(extract, torn, store)
    expected = {str(torn / f'{number}.jpg'): 'torn' for number in (1, 3)}
    assert summary == IndexSummary(added=3, failed=expected)
    assert names(store) == ['0.jpg', '2.jpg', '4.jpg']
    assert f'{torn}/1.jpg: torn' in log() and f'{torn}/3.jpg' not in log()
    assert '2 of 5 images cannot be read' in log()
    # They are tried again: someone may have repaired them.
    (torn / '1.jpg').write_text('1')
    summary = update_gallery(extract, torn, store)
    assert (summary.added, summary.unchanged, len(summary.failed)) == (1, 3, 1)


def test_too_many_unreadable_images(extract, store, torn):
    (torn / '0.jpg').write_text('torn')
    with pytest.raises(TooManyBadImagesError, match=r'3 of 5 images.*3\.jpg'):
        update_gallery(extract, torn, store)


def test_interrupted_work_goes_on(extract, store, folder, monkeypatch):
    monkeypatch.setattr(gallery_index, '_IMAGES_PER_WRITE', 2)
    extract.stop_after = 4
    with pytest.raises(KeyboardInterrupt):
        update_gallery(extract, folder, store)
    assert names(store) == ['0.jpg', '1.jpg', '2.jpg', '3.jpg']
    extract.stop_after = None
    assert update_gallery(extract, folder, store) == IndexSummary(added=1, unchanged=4)
    assert extract.read[5:] == ['4.jpg']


def test_folder_that_became_empty_is_no_order_to_delete(extract, store, folder):
    update_gallery(extract, folder, store)
    folder.rename(folder.with_name('elsewhere'))
    with pytest.raises(FileNotFoundError, match=f'{folder}'):
        update_gallery(extract, folder, store)
    folder.mkdir()
    with pytest.raises(ValueError, match=f'{folder}'):
        update_gallery(extract, folder, store)
    assert len(store) == 5

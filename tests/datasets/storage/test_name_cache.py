import json
import threading

import numpy as np
import pytest

from passreid.datasets.storage.name_cache import NameCache


class Source:
    """A list of names that counts how often it is read."""

    def __init__(self, names, version=1):
        self.names, self.version, self.reads = names, version, 0

    def find(self):
        self.reads += 1
        return iter(self.names), {'source': [self.version]}

    def is_fresh(self, stamps):
        return stamps == {'source': [self.version]}

    def load(self, root, **kwargs):
        return NameCache(str(root), str(root)).load(self.find, self.is_fresh, **kwargs)


def test_second_load_reads_the_disk(tmp_path, log):
    source = Source(['a.jpg', 'b.jpg'])
    first = source.load(tmp_path)
    assert list(first) == list(source.load(tmp_path)) == ['a.jpg', 'b.jpg']
    assert source.reads == 1
    assert {file.parent.name for file in tmp_path.rglob('*.npy')} == {'.passreid_cache'}
    assert f'2 images listed in 0.0 s; kept in {tmp_path}' in log()


def test_change_is_noticed_and_old_tables_go(tmp_path):
    source = Source(['a.jpg'])
    old = source.load(tmp_path)
    source.names, source.version = ['b.jpg', 'c.jpg'], 2
    assert list(source.load(tmp_path)) == ['b.jpg', 'c.jpg']
    assert source.reads == 2
    assert len(list(tmp_path.rglob('*.npy'))) == 2
    # Whoever still holds the old table is not disturbed.
    assert list(old) == ['a.jpg']


def test_rescan(tmp_path):
    source = Source(['a.jpg'])
    source.load(tmp_path)
    source.names = ['b.jpg']
    assert list(source.load(tmp_path)) == ['a.jpg']
    assert list(source.load(tmp_path, rescan=True)) == ['b.jpg']
    assert source.reads == 2


def test_sources_have_caches_of_their_own(tmp_path):
    for name in ('one', 'two'):
        NameCache(str(tmp_path), f'{tmp_path}/{name}').load(
            lambda name=name: ([f'{name}.jpg'], {}), lambda stamps: True
        )
    for name in ('one', 'two'):
        cache = NameCache(str(tmp_path), f'{tmp_path}/{name}')
        assert list(cache.load(lambda: pytest.fail('read'), lambda stamps: True)) == [f'{name}.jpg']


@pytest.mark.parametrize(
    'damage',
    [
        lambda folder: next(folder.glob('*.names.npy')).unlink(),
        lambda folder: next(folder.glob('*.json')).write_text('{"version"'),
        lambda folder: next(folder.glob('*.json')).write_text('[]'),
        lambda folder: next(folder.glob('*.json')).write_text(json.dumps({'version': 0})),
    ],
)
def test_damaged_cache_is_made_anew(tmp_path, damage):
    source = Source(['a.jpg'])
    source.load(tmp_path)
    damage(tmp_path / '.passreid_cache')
    assert list(source.load(tmp_path)) == ['a.jpg']
    assert source.reads == 2


def test_interruption_leaves_nothing_half_done(tmp_path):
    source = Source(['a.jpg', 'b.jpg'])
    source.load(tmp_path)

    def interrupted():
        yield 'c.jpg'
        raise KeyboardInterrupt

    source.names, source.version = interrupted(), 2
    with pytest.raises(KeyboardInterrupt):
        source.load(tmp_path)
    source.names, source.version = ['never read'], 1
    assert list(source.load(tmp_path)) == ['a.jpg', 'b.jpg']


def test_failed_write_leaves_the_old_list(tmp_path, monkeypatch):
    source = Source(['a.jpg'])
    source.load(tmp_path)

    def full_disk(*args):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(np, 'save', full_disk)
    source.version = 2
    with pytest.raises(OSError, match='No space left'):
        source.load(tmp_path)
    monkeypatch.undo()
    source.version = 1
    assert list(source.load(tmp_path)) == ['a.jpg']


def test_no_names_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=f'no images found in {tmp_path}'):
        Source([]).load(tmp_path)


@pytest.mark.parametrize('rescan', [False, True])
def test_one_of_many_does_the_work(tmp_path, rescan):
    source = Source(['a.jpg'])
    reading, everyone_waits = threading.Event(), threading.Event()
    find = source.find

    def slow_find():
        reading.set()
        everyone_waits.wait(10)
        return find()

    source.find = slow_find
    tables = []
    threads = [
        threading.Thread(target=lambda: tables.append(list(source.load(tmp_path, rescan=rescan))))
        for _ in range(4)
    ]
    threads[0].start()
    reading.wait(10)
    for thread in threads[1:]:
        thread.start()
    # The others ask before the list is finished.
    threading.Timer(0.3, everyone_waits.set).start()
    for thread in threads:
        thread.join()
    assert tables == [['a.jpg']] * 4
    assert source.reads == 1


def test_read_only_root_is_cached_at_home(tmp_path, monkeypatch):
    root = tmp_path / 'data'
    root.mkdir()
    # Permissions do not stop root, so a file stands where the folder would be made.
    (root / '.passreid_cache').touch()
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'xdg'))
    source = Source(['a.jpg'])
    source.load(root)
    source.load(root)
    assert source.reads == 1
    assert len(list((tmp_path / 'xdg' / 'passreid').glob('*.npy'))) == 2
    monkeypatch.delenv('XDG_CACHE_HOME')
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    source.load(root)
    assert len(list((tmp_path / 'home' / '.cache' / 'passreid').glob('*.npy'))) == 2


@pytest.mark.parametrize(
    'entries',
    [
        {'table': '../../other'},
        {'table': 7},
        {'stamps': []},
        {'stamps': {'': []}},
        {'finished': 'today'},
        {'version': 99},
        {},
    ],
)
def test_state_of_strangers_is_not_used(tmp_path, entries):
    cache = NameCache(str(tmp_path), str(tmp_path))
    found = []

    def load():
        return list(cache.load(lambda: (found.append(1) or ['a.jpg'], {'': [1]}), lambda _: True))

    assert load() == load() == ['a.jpg']
    assert len(found) == 1
    file = next(cache.folder.glob('*.json'))
    file.write_text(json.dumps(json.loads(file.read_text()) | entries) if entries else '[' * 99999)
    assert load() == ['a.jpg']
    assert len(found) == 2

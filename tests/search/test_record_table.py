import numpy as np
import pytest
from random_galleries import NASTY, records

from passreid.search import GalleryRecord, SearchFilter
from passreid.search.record_table import RecordTable


def all_records(table):
    return [table.record(row) for row in range(len(table))]


@pytest.fixture
def table():
    return RecordTable(records(30))


def test_records_come_back(table):
    assert all_records(table) == records(30) and len(RecordTable()) == 0


def test_tables_with_other_fields_are_joined(table):
    added = [GalleryRecord('a', fields=dict(frame='text', new=1.0)), GalleryRecord('b')]
    table.find(['0001.jpg'])
    table.extend(RecordTable(added))
    table.extend(RecordTable())
    table.extend(RecordTable([GalleryRecord('c', fields=dict(frame=3))]))
    assert all_records(table) == [*records(30), *added, GalleryRecord('c', fields=dict(frame=3))]
    assert table.find(['a', 'c', 'd']) == {'a': 30, 'c': 32}


def test_deleted_rows(table):
    assert table.delete(['0001.jpg', 'other', '0001.jpg']) == 1
    assert table.delete(['0001.jpg']) == 0
    assert table.alive.sum() == 29 and '0001.jpg' not in table.stamps()
    assert not table.allowed(SearchFilter())[1] and table.allowed(SearchFilter()).sum() == 29
    # The path may come back in another row.
    table.extend(RecordTable(records(2)[1:]))
    assert table.find(['0001.jpg']) == {'0001.jpg': 30}


def test_taken_rows_forget_the_rest(table):
    taken = table.take(np.array([7, 2, 11]))
    assert all_records(taken) == [records(30)[row] for row in (7, 2, 11)]
    assert sorted(taken._fields['frame'].values) == [2, 7, 11]
    bare = table.take(np.array([0, 6]))
    assert all_records(bare) == [records(30)[0], records(30)[6]] and not bare._fields


def test_saved_table_is_the_same(table, tmp_path):
    known = [GalleryRecord(text, fields=dict(text=text), stamp=text) for text in NASTY]
    known += [GalleryRecord('a\udcff.jpg', 2**62, -1e-300, dict(one=1, real=1.0, yes=True))]
    table.extend(RecordTable(known))
    table.save(tmp_path / 'records.npz')
    loaded = RecordTable.load(tmp_path / 'records.npz')
    assert all_records(loaded) == [*records(30), *known]
    kinds = {name: type(value) for name, value in loaded.record(len(loaded) - 1).fields.items()}
    assert kinds == dict(one=int, real=float, yes=bool)
    loaded.extend(RecordTable([GalleryRecord('last', fields=dict(text='new'))]))
    assert loaded.delete(['0003.jpg']) == 1
    assert loaded.record(len(loaded) - 1).fields == dict(text='new')


def test_empty_table_can_be_saved(tmp_path):
    RecordTable().save(tmp_path / 'records.npz')
    assert len(RecordTable.load(tmp_path / 'records.npz')) == 0

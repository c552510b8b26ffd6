import numpy as np
import pytest

from passreid.search.gallery_record import GalleryRecord
from passreid.search.record_table import RecordTable

RECORDS = [GalleryRecord('a.jpg', 1, 2.0, {'size': 7}), GalleryRecord('b.jpg', 0, None, {})]


@pytest.mark.parametrize(
    ('changes', 'problem'),
    [
        ({'path_ends': np.array([-1, 10])}, 'path_ends does not divide paths'),
        ({'path_ends': np.array([9, 5])}, 'path_ends does not divide paths'),
        ({'stamp_ends': np.array([0, 99])}, 'stamp_ends does not divide stamps'),
        ({'path_ends': np.array([5.0, 10.0])}, 'path_ends is float64'),
        ({'path_ends': np.array([10])}, 'expected is int64 of shape'),
        ({'cam_ids': np.array(['1', '0'])}, 'cam_ids is <U1'),
        ({'times': np.ones((2, 2))}, r'times is float64 of shape \(2, 2\)'),
        ({'codes': np.array([[0, 9]], np.int32)}, 'codes of size name values that are not there'),
        ({'codes': np.zeros((2, 2), np.int32)}, '1 fields, but codes of 2'),
        ({'values': b'[]'}, 'values is no dict of lists'),
        ({'values': b'{"size": [[1]]}'}, 'values of size are neither text nor numbers'),
    ],
)
def test_columns_that_are_no_table(tmp_path, changes, problem):
    path = tmp_path / 'records.npz'
    RecordTable(RECORDS).save(path)
    assert RecordTable.load(path).record(0) == RECORDS[0]
    if isinstance(changes.get('values'), bytes):
        changes = {'values': np.frombuffer(changes['values'], np.uint8)}
    np.savez(path, **(dict(np.load(path)) | changes))
    with pytest.raises(ValueError, match=problem):
        RecordTable.load(path)

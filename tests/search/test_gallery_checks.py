"""What the tests of all stores do not reach."""

import re

import numpy as np
import pytest

from passreid.search import GalleryRecord, SearchFilter
from passreid.search.gallery_checks import check_records, spread_filters, unit_rows


@pytest.mark.parametrize('scale', [1e-30, 1e-3, 1, 1e30])
def test_features_of_any_length_get_length_one(scale):
    features = np.array([[3, 4], [-1, 0]], np.float64) * scale
    unit = unit_rows(features, 2)
    assert unit.dtype == np.float32 and unit.flags.c_contiguous
    np.testing.assert_allclose(unit, [[0.6, 0.8], [-1, 0]], rtol=1e-6)


@pytest.mark.parametrize('dtype', [np.float16, np.float32, np.int64, np.uint8])
def test_numbers_of_any_kind_will_do(dtype):
    np.testing.assert_allclose(unit_rows(np.array([[3, 4]], dtype), 2), [[0.6, 0.8]], rtol=1e-6)


@pytest.mark.parametrize('features', [[['a', 'b']], [[True, False]], [[1j, 1]]])
def test_other_values_are_refused(features):
    with pytest.raises(ValueError, match=r'expected are numbers of the shape \(N, 2\)'):
        unit_rows(np.array(features), 2)


def test_queries_are_not_changed():
    features = np.array([[3.0, 4.0]], np.float32)
    unit_rows(features, 2)
    assert features.tolist() == [[3, 4]]


def test_numbers_of_numpy_will_do_where_they_mean_the_same():
    check_records([GalleryRecord('a', np.int64(3), np.float32(2), dict(b=np.float64(1)))], 1)
    with pytest.raises(ValueError, match=rf'the field b is {re.escape(repr(np.int64(1)))}'):
        check_records([GalleryRecord('a', fields=dict(b=np.int64(1)))], 1)


def test_filters_are_spread():
    own = SearchFilter(cameras=[1])
    assert spread_filters(None, 2) == [SearchFilter()] * 2
    assert spread_filters(own, 2) == [own, own]
    assert spread_filters([None, own], 2) == [SearchFilter(), own]

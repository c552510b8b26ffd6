import numpy as np
import pytest
import torch

from passreid.clustering.features import check_features, check_pair, prepare_metric, to_tensor


def test_float32_is_not_copied():
    features = np.ones((3, 2), np.float32)
    assert check_features('f', features).data_ptr() == features.ctypes.data


@pytest.mark.filterwarnings('error')
def test_read_only_arrays_are_welcome():
    features = np.ones((3, 2))
    features.setflags(write=False)
    assert to_tensor(features).dtype == torch.float64
    assert check_features('f', features).dtype == torch.float32


@pytest.mark.parametrize('shape', [(3,), (2, 3, 4), (0, 3), (3, 0)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match='f has shape'):
        check_features('f', np.ones(shape))


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_the_first_odd_row_is_named(value):
    features = np.ones((9, 3))
    features[[4, 7], [2, 0]] = value
    with pytest.raises(ValueError, match='row 4 of f holds nan or infinity'):
        check_features('f', features)


def test_sides_must_have_the_same_dimensions():
    with pytest.raises(ValueError, match='query_features have 3 dimensions, gallery_features 4'):
        check_pair(np.ones((2, 3)), np.ones((2, 4)))


def test_cosine_normalises():
    (features,) = prepare_metric('cosine', torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    torch.testing.assert_close(features, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))
    with pytest.raises(ValueError, match="metric is 'dot'"):
        prepare_metric('dot', features)

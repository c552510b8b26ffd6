import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample

from passreid.apis.unit_features import unit_features


def samples(*features):
    made = [DataSample(metainfo=dict(img_path=f'{n}.jpg')) for n in range(len(features))]
    for sample, feature in zip(made, features, strict=True):
        sample.feature = torch.tensor(feature)
    return made


def test_length_one():
    features = unit_features(samples([3.0, 4.0], [0.0, -2.0]))
    np.testing.assert_allclose(features, [[0.6, 0.8], [0, -1]], rtol=1e-6)
    assert features.dtype == np.float32


def test_half_precision_becomes_single():
    half = samples([3.0, 4.0])
    half[0].feature = half[0].feature.half()
    np.testing.assert_allclose(unit_features(half), [[0.6, 0.8]], rtol=1e-6)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_feature_that_is_not_finite(value):
    with pytest.raises(ValueError, match=r'feature of 1\.jpg is not finite'):
        unit_features(samples([1.0, 0.0], [1.0, value]))


def test_model_without_features():
    sample = DataSample(metainfo=dict(img_path='a.jpg')).set_pred_label(3)
    with pytest.raises(ValueError, match=r'no "feature".*have img_path, pred_label'):
        unit_features([sample])

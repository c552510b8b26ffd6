import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample

from passreid.evaluation.metrics.person_features import concatenate, gather_features, read_batch


def sample(index, feature=(1.0, 2.0), **changes):
    fields = dict(
        feature=torch.as_tensor(feature),
        gt_label=torch.tensor([index + 10]),
        cam_id=index % 3 - 1,
        is_query=index == 0,
        sample_idx=index,
        img_path=f'{index}.jpg',
    )
    return fields | changes


def batch(*indices):
    return read_batch([sample(index, (float(index), 0.5)) for index in indices])


def test_fields_become_arrays():
    people = batch(0, 1, 2)
    np.testing.assert_array_equal(people.features, [[0, 0.5], [1, 0.5], [2, 0.5]])
    assert people.features.dtype == np.float32
    assert people.pids.tolist() == [10, 11, 12]
    assert people.cam_ids.tolist() == [-1, 0, 1]
    assert people.is_query.tolist() == [True, False, False]
    assert people.sample_ids.tolist() == [0, 1, 2]
    assert people.img_paths == ['0.jpg', '1.jpg', '2.jpg']
    assert len(people) == 3


def test_data_samples_and_plain_numbers_serve_as_well():
    fields = sample(4, torch.tensor([0.5, 0.25], dtype=torch.float16))
    data_sample = DataSample(feature=fields.pop('feature')).set_gt_label(14)
    fields.pop('gt_label')
    data_sample.set_metainfo(fields)
    people = read_batch([data_sample, sample(5, gt_label=15)])
    assert people.pids.tolist() == [14, 15]
    assert people.img_paths == ['4.jpg', '5.jpg']
    assert people.features.dtype == np.float32
    assert people.features.tolist() == [[0.5, 0.25], [1, 2]]


@pytest.mark.parametrize('missing', ['feature', 'cam_id'])
def test_missing_fields_are_named(missing):
    fields = sample(0)
    del fields[missing]
    with pytest.raises(ValueError, match=missing):
        read_batch([fields])


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_features_that_are_not_finite_are_named_by_their_image(value):
    samples = [sample(0), sample(1, (value, 1.0)), sample(2), sample(3, (1.0, value))]
    with pytest.raises(ValueError, match='1.jpg'):
        read_batch(samples)


def test_each_sample_counts_once_in_the_order_of_the_data_set():
    people = gather_features(concatenate([batch(3, 0, 2), batch(0, 1, 3)]))
    assert people.sample_ids.tolist() == [0, 1, 2, 3]
    assert people.features[:, 0].tolist() == [0, 1, 2, 3]
    assert gather_features(people) is people
    assert gather_features(None) is None
    # Joined data sets number their samples each by itself.
    joined = [sample(0, img_path='b/0.jpg'), *2 * [sample(0, img_path='a/0.jpg')]]
    assert gather_features(read_batch(joined)).img_paths == ['a/0.jpg', 'b/0.jpg']

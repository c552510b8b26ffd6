import numpy as np
import torch
from mmengine.dataset import default_collate
from mmpretrain.structures import DataSample

from passreid.datasets.transforms import PackViews, PartAwareMultiCrop


def _packed(index):
    image = np.full((40, 20, 3), index, np.uint8)
    results = {'img': image, 'img_path': f'{index}.jpg', 'sample_idx': index}
    crop = PartAwareMultiCrop((32, 16), (16, 8), num_parts=2, local_per_part=2)
    return PackViews()(crop(results))


def test_views_share_memory_with_the_arrays():
    views = {'global_views': np.zeros((2, 4, 4, 3), np.uint8)}
    packed = PackViews()({'views': views})
    views['global_views'][0, 0, 0, 0] = 7
    assert packed['inputs']['global_views'][0, 0, 0, 0] == 7


def test_collated_batches_have_images_first_and_keep_the_data_samples():
    batch = default_collate([_packed(index) for index in range(3)])
    inputs = batch['inputs']
    assert inputs['global_views'].shape == (3, 2, 32, 16, 3)
    assert inputs['local_views'].shape == (3, 4, 16, 8, 3)
    assert inputs['local_views'].dtype == torch.uint8
    for index in range(3):
        assert (inputs['local_views'][index] == index).all()
        sample = batch['data_samples'][index]
        assert isinstance(sample, DataSample)
        assert (sample.img_path, sample.sample_idx) == (f'{index}.jpg', index)


def test_boxes_become_meta_information():
    crop = PartAwareMultiCrop((32, 16), (16, 8), keep_boxes=True)
    packed = PackViews()(crop({'img': np.zeros((40, 20, 3), np.uint8)}))
    assert packed['data_samples'].view_boxes['local_views'].shape == (9, 4)

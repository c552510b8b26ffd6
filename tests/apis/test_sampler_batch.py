import pytest
from mmengine.config import Config

from passreid.apis.sampler_batch import fill_batch_size
from passreid.datasets import IdentitySampler


def config(**sampler):
    return Config(
        {
            'train_dataloader': {'batch_size': 8, 'sampler': {'type': 'IdentitySampler'} | sampler},
            'test_dataloader': {'batch_size': 4, 'sampler': {'type': 'DefaultSampler'}},
        }
    )


@pytest.mark.parametrize(
    'kind', ['IdentitySampler', 'passreid.datasets.IdentitySampler', IdentitySampler]
)
def test_size_is_that_of_the_data_loader(kind):
    cfg = config(images_per_id=2, type=kind)
    fill_batch_size(cfg)
    assert cfg.train_dataloader.sampler.batch_size == 8
    assert 'batch_size' not in cfg.test_dataloader.sampler


def test_another_size_is_an_error():
    with pytest.raises(ValueError, match='has batch_size=6, its data loader batch_size=8'):
        fill_batch_size(config(batch_size=6))

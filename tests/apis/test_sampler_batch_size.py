import pytest
from mmengine.config import Config

from passreid.apis.sampler_batch_size import fill_sampler_batch_sizes
from passreid.datasets import IdentitySampler


def config(**sampler):
    return Config({'train_dataloader': {'batch_size': 32, 'sampler': sampler}})


@pytest.mark.parametrize(
    'kind', ['IdentitySampler', 'passreid.IdentitySampler', 'CrossCameraIdentitySampler']
)
@pytest.mark.parametrize('given', [{}, {'batch_size': 32}, {'batch_size': None}])
def test_sampler_follows_its_data_loader(kind, given):
    cfg = config(type=kind, **given)
    fill_sampler_batch_sizes(cfg)
    assert cfg.train_dataloader.sampler == {'type': kind, 'batch_size': 32}


def test_class_instead_of_name():
    loader = {'batch_size': 8, 'sampler': {'type': IdentitySampler}}
    fill_sampler_batch_sizes({'train_dataloader': loader})
    assert loader['sampler']['batch_size'] == 8


def test_other_batch_size_is_an_error():
    with pytest.raises(ValueError, match=r'sampler.batch_size=64 differs from .*batch_size=32'):
        fill_sampler_batch_sizes(config(type='IdentitySampler', batch_size=64))


def test_other_samplers_are_left_alone():
    sampler = {'type': 'DefaultSampler', 'shuffle': False}
    cfg = config(**sampler)
    cfg.test_dataloader = [{'batch_size': 8, 'sampler': dict(sampler)}]
    cfg.val_dataloader = None
    fill_sampler_batch_sizes(cfg)
    assert cfg.train_dataloader.sampler == cfg.test_dataloader[0]['sampler'] == sampler


def test_several_test_loaders():
    loader = {'batch_size': 8, 'sampler': {'type': 'IdentitySampler'}}
    cfg = Config({'test_dataloader': [loader, loader]})
    fill_sampler_batch_sizes(cfg)
    assert [entry.sampler.batch_size for entry in cfg.test_dataloader] == [8, 8]

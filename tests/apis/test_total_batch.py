import pytest
from mmengine.config import Config

from passreid.apis.total_batch import count_accumulated_batches, describe_total_batch


def _config(accumulated, **scale):
    return Config(
        {
            'auto_scale_lr': scale,
            'optim_wrapper': {'optimizer': {'lr': 5e-4}, 'accumulative_counts': accumulated},
            'train_dataloader': {'batch_size': 32},
        }
    )


def test_base_shrinks_with_accumulation():
    cfg = _config(4, enable=True, base_batch_size=256)
    count_accumulated_batches(cfg)
    assert cfg.auto_scale_lr.base_batch_size == 64


@pytest.mark.parametrize('scale', [{}, {'enable': False, 'base_batch_size': 256}])
def test_nothing_happens_when_switched_off(scale):
    cfg = _config(4, **scale)
    count_accumulated_batches(cfg)
    assert cfg.auto_scale_lr == scale
    assert describe_total_batch(cfg, world_size=1) is None


def test_base_is_required():
    with pytest.raises(KeyError, match='auto_scale_lr.base_batch_size'):
        count_accumulated_batches(_config(1, enable=True))


def test_description_of_the_published_setting():
    cfg = _config(4, enable=True, base_batch_size=256)
    # 8 processes x 32 images x 4 accumulated batches: 1024 images.
    text = describe_total_batch(cfg, world_size=8)
    assert 'Learning rate 0.002 = 0.0005 x 1024 / 256' in text

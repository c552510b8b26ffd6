import pytest
import torch
from mmengine.optim import OptimWrapper
from mmpretrain.structures import DataSample
from tiny_models import people_batch, people_model

from passreid.registry import MODELS


def batch():
    samples = [DataSample(metainfo=dict(cam_id=1)).set_gt_label(i // 4) for i in range(8)]
    return dict(inputs=torch.stack(people_batch(8)), data_samples=samples)


@pytest.mark.parametrize('kind', ['reid', 'without parts'])
def test_it_learns_a_batch_by_heart(kind):
    model, data = people_model(kind), batch()
    model.train()
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9))
    first, *_, last = [model.train_step(data, wrapper) for _ in range(40)]
    assert last['loss_id'] < 0.3 < first['loss_id'] and last['accuracy'] == 100
    assert last['hardest_positive'] < last['hardest_negative']
    torch.testing.assert_close(last['loss'], last['loss_id'] + last['loss_triplet'])


def test_plain_backbone():
    model = people_model('without parts')
    model.backbone = MODELS.build(
        dict(type='VisionTransformer', arch='deit-tiny', img_size=32, patch_size=16)
    )
    model.head = MODELS.build(dict(type='passreid.ReIDHead', in_channels=192, num_parts=0))
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    assert model.test_step(dict(inputs=images))[1].feature.shape == (192,)

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmpretrain.structures import DataSample

import passreid.models  # noqa: F401  (fills the registry)
from passreid.registry import MODELS


def classifier(num_parts=3, **head):
    arch = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)
    model = MODELS.build(
        dict(
            type='ImageClassifier',
            data_preprocessor=dict(
                type='passreid.ReIDDataPreprocessor',
                mean=[127.5] * 3,
                std=[127.5] * 3,
                to_rgb=True,
                erasing=dict(prob=0.5, mode='noise'),
            ),
            backbone=dict(
                type='passreid.PartViT',
                arch=arch,
                img_size=(32, 16),
                patch_size=8,
                num_parts=num_parts,
            ),
            head=dict(type='passreid.ReIDHead', in_channels=16, num_parts=num_parts, **head),
        )
    )
    model.init_weights()
    return model


def batch():
    images = torch.randint(0, 256, (8, 3, 32, 16), dtype=torch.uint8)
    samples = [DataSample(metainfo=dict(cam_id=1)).set_gt_label(i // 4) for i in range(8)]
    return dict(inputs=images, data_samples=samples)


@pytest.mark.parametrize('num_parts', [0, 3])
def test_it_learns_a_batch_by_heart(num_parts):
    torch.manual_seed(0)
    model, data = classifier(num_parts, num_classes=2), batch()
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9))
    first, *_, last = [model.train_step(data, wrapper) for _ in range(40)]
    assert first['loss_id'].item() == pytest.approx(0.693, abs=0.05)
    assert last['loss_id'] < 0.3 and last['accuracy'] == 100
    assert last['hardest_positive'] < last['hardest_negative']
    torch.testing.assert_close(last['loss'], last['loss_id'] + last['loss_triplet'])


def test_prediction():
    model, data = classifier(num_classes=5), batch()
    model.eval()
    result = model.test_step(data)
    assert result[3].cam_id == 1 and result[7].gt_label.item() == 1
    features = torch.stack([sample.feature for sample in result])
    inputs = model.data_preprocessor(data)['inputs']
    torch.testing.assert_close(features, model(inputs))
    tokens = model.backbone(inputs)[0]
    fused = torch.cat((tokens[:, 0], tokens[:, 1:].mean(1)), 1)
    torch.testing.assert_close(features, torch.nn.functional.normalize(fused))
    assert model.extract_feat(inputs, stage='pre_logits').shape == (8, 32)


def test_plain_backbone():
    model = classifier(num_parts=0)
    model.backbone = MODELS.build(
        dict(type='VisionTransformer', arch='deit-tiny', img_size=32, patch_size=16)
    )
    model.head = MODELS.build(dict(type='passreid.ReIDHead', in_channels=192, num_parts=0))
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    assert model.test_step(dict(inputs=images))[1].feature.shape == (192,)

import torch
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample
from torch.nn import functional as F

from passreid.models import FlipTTAModel, ReIDDataPreprocessor


class LeftHalf(BaseModel):
    """Its feature is a projection of the left half of the image."""

    def __init__(self):
        super().__init__(data_preprocessor=ReIDDataPreprocessor())
        self.linear = torch.nn.Linear(12, 5)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        features = self.linear(inputs[..., :2].flatten(1))
        data_samples = data_samples or [DataSample() for _ in features]
        for sample, feature in zip(data_samples, features, strict=True):
            sample.feature = feature
        return data_samples


IMAGES = torch.randn(4, 3, 2, 4, generator=torch.Generator().manual_seed(0))


def test_features_of_both_images_are_averaged():
    model = LeftHalf()
    samples = [DataSample() for _ in IMAGES]
    result = FlipTTAModel(model).test_step(dict(inputs=IMAGES, data_samples=samples))
    assert result == samples
    features = torch.stack([sample.feature for sample in result])
    halves = (IMAGES[..., :2], IMAGES[..., 2:].flip(3))
    one, other = (F.normalize(model.linear(half.flatten(1))) for half in halves)
    torch.testing.assert_close(features, F.normalize(one + other))
    assert features.dtype == torch.float32

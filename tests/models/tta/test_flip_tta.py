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


class FourImages(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        image = torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(index))
        return {'inputs': image, 'data_samples': DataSample(metainfo=dict(sample_idx=index))}


def literal(model, images):
    """Compute the averaged features from the two images."""
    one, other = (
        F.normalize(model.linear(half.flatten(1)))
        for half in (images[..., :2], images[..., 2:].flip(3))
    )
    return F.normalize(one + other).detach()


def images():
    return torch.stack([FourImages()[index]['inputs'] for index in range(4)])


def test_features_of_both_images_are_averaged():
    model = LeftHalf()
    samples = [FourImages()[index]['data_samples'] for index in range(4)]
    result = FlipTTAModel(model).test_step(dict(inputs=images(), data_samples=samples))
    assert result == samples
    features = torch.stack([sample.feature for sample in result])
    torch.testing.assert_close(features, literal(model, images()))
    torch.testing.assert_close(features.norm(dim=1), torch.ones(4))
    assert features.dtype == torch.float32


def test_mirror_images_have_the_same_feature():
    tta = FlipTTAModel(LeftHalf())
    one, other = (
        torch.stack([sample.feature for sample in tta.test_step(dict(inputs=batch))])
        for batch in (images(), images().flip(3))
    )
    torch.testing.assert_close(one, other)

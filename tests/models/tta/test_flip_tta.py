import torch
from mmpretrain.structures import DataSample
from tiny_models import people_batch, people_model
from torch.nn import functional as F

from passreid.models import FlipTTAModel


def stretch(model, inputs, samples):
    for sample in samples:
        sample.feature = sample.feature * (1 + 9 * sample.feature[0].abs())


def test_features_of_both_images_are_averaged():
    """Whatever their lengths."""
    model, images = people_model(), people_batch()
    model.register_forward_hook(stretch)

    def features(tested, images):
        samples = [DataSample() for _ in images]
        assert tested.test_step(dict(inputs=images, data_samples=samples)) == samples
        return torch.stack([sample.feature for sample in samples])

    one, other = features(model, images), features(model, [image.flip(2) for image in images])
    found = features(FlipTTAModel(model), images)
    torch.testing.assert_close(found, F.normalize(F.normalize(one) + F.normalize(other)))
    assert found.dtype == torch.float32 and not torch.allclose(found, one)

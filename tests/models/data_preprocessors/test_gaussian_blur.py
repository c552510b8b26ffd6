import pytest
import torch
from torchvision.transforms import functional as reference

from passreid.models.data_preprocessors.gaussian_blur import gaussian_blur


def _images(count, height=20, width=15):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, height, width, generator=generator) * 255


@pytest.mark.parametrize('radius', [1, 2, 5])
def test_images_of_one_width_equal_torchvision(radius):
    sigma = radius / 3
    images = _images(2)
    expected = reference.gaussian_blur(images, [2 * radius + 1] * 2, [sigma] * 2)
    result = gaussian_blur(images, torch.full((2,), sigma), sigma)
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-3)


def test_each_image_has_its_own_width_whatever_the_batch():
    images, sigmas = _images(3), torch.tensor([0.1, 0.9, 2.0])
    together = gaussian_blur(images, sigmas, 2.0)
    for index, sigma in enumerate(sigmas):
        alone = gaussian_blur(images[index : index + 1], sigma[None], sigma.item())
        torch.testing.assert_close(together[index], alone[0], rtol=0, atol=1e-3)
    assert together[0].std() > together[1].std() > together[2].std()


def test_images_smaller_than_the_kernel_work():
    result = gaussian_blur(_images(1, 3, 2), torch.tensor([2.0]), 2.0)
    assert result.shape == (1, 3, 3, 2)
    assert torch.isfinite(result).all()

import pytest
import torch
from torch.nn import functional as F

from passreid.models.layers import resize_patch_kernel


def enlarged(patches, size):
    return F.interpolate(patches, size=size, mode='bicubic', antialias=True)


def responses(patches, kernel):
    return F.conv2d(patches, kernel, stride=kernel.shape[-1]).flatten(1)


@pytest.fixture
def kernel():
    return torch.randn(8, 3, 14, 14, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize('size', [16, 20, 28])
def test_enlarged_patches_are_answered_alike(kernel, size):
    patches = torch.randn(5, 3, 14, 14, generator=torch.Generator().manual_seed(1))
    resized = resize_patch_kernel(kernel, (size, size))
    found, expected = responses(enlarged(patches, size), resized), responses(patches, kernel)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


def test_shrinking_has_the_least_error(kernel):
    """Among all kernels for 8x8 none answers shrunk white noise better, on the average."""
    patches = torch.randn(20000, 3, 14, 14, generator=torch.Generator().manual_seed(4))
    shrunk = enlarged(patches, 8)
    wanted = responses(patches, kernel)
    error = (responses(shrunk, resize_patch_kernel(kernel, (8, 8))) - wanted).square().mean()
    fitted = torch.linalg.lstsq(shrunk.flatten(1), wanted).solution.T.unflatten(1, (3, 8, 8))
    best = (responses(shrunk, fitted) - wanted).square().mean()
    assert best <= error < 1.05 * best

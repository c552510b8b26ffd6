import pytest
import torch
from torchvision import transforms

from passreid.models import PASSDataPreprocessor
from passreid.models.data_preprocessors import view_augmentation
from passreid.models.data_preprocessors.view_augmentation import augment_views

RISING = torch.arange(3)
ZERO, ONE = torch.zeros(3, 1, 1), torch.ones(3, 1, 1)
OFF = {
    'flip_prob': 0.0,
    'jitter_prob': 0.0,
    'gray_prob': 0.0,
    'global_blur_prob': 0.0,
    'global_solarize_prob': 0.0,
}
MIXED = {'flip_prob': 0.5, 'jitter_prob': 0.8, 'gray_prob': 0.2, 'global_blur_prob': (1.0, 0.1)}


def _draw(num_images, num_views, **settings):
    return PASSDataPreprocessor(**{**OFF, **settings}).draw('global_views', num_images, num_views)


def _views(num_images, num_views, height=12, width=8):
    generator = torch.Generator().manual_seed(0)
    shape = (num_images, num_views, height, width, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def _augment(views, draws, **kwargs):
    return augment_views(views, draws, ZERO, ONE, **kwargs)


def _plain(views):
    """Views (V * B, 3, H, W), first view of all images first, RGB from BGR."""
    return views.transpose(0, 1).flatten(0, 1).permute(0, 3, 1, 2).flip(1).float()


def test_only_chosen_views_are_changed_and_as_expected():
    views = _views(4, 2)
    plain = _plain(views)
    draws = _draw(8, 1)
    draws.flip[1] = True
    draws.gray[2] = True
    draws.sigma[[3, 6]] = torch.tensor([1.5, 0.5])
    draws.solarize[4] = True
    draws.hue[5] = 0
    draws.hue_position[5], draws.blends[5], draws.factors[5] = 2, RISING, torch.tensor([0.5, 1, 1])
    result = _augment(views, draws)
    assert torch.equal(result[0], plain[0])
    assert torch.equal(_augment(views, draws, to_rgb=False)[0], plain[0].flip(0))
    assert torch.equal(result[1], plain[1].flip(2))
    gray = transforms.functional.rgb_to_grayscale(plain[2], num_output_channels=3)
    torch.testing.assert_close(result[2], gray)
    # Each has a width of its own, whatever the batch, and is cut off at three of it.
    for view, size, sigma in ((3, 11, 1.5), (6, 5, 0.5)):
        blurred = transforms.functional.gaussian_blur(plain[view], [size] * 2, [sigma] * 2)
        torch.testing.assert_close(result[view], blurred, rtol=0, atol=1e-3)
    assert torch.equal(result[4], transforms.functional.solarize(plain[4].byte(), 128).float())
    torch.testing.assert_close(result[5], plain[5] / 2, rtol=0, atol=5e-3)


def test_operations_follow_the_published_order():
    views = _views(1, 1)
    draws = _draw(1, 1)
    draws.hue_position[0], draws.hue[0], draws.blends[0] = 0, 0, RISING
    draws.factors[0] = torch.tensor([1.4, 1, 0.3])
    draws.gray[0], draws.sigma[0], draws.solarize[0] = True, 1.0, True
    image = _plain(views)[0] / 255
    for operation in (
        lambda x: transforms.functional.adjust_brightness(x, 1.4),
        lambda x: transforms.functional.adjust_saturation(x, 0.3),
        lambda x: transforms.functional.rgb_to_grayscale(x, 3),
        lambda x: transforms.functional.gaussian_blur(x, [7, 7], [1.0, 1.0]),
        lambda x: transforms.functional.solarize(x, 128 / 255),
    ):
        image = operation(image)
    torch.testing.assert_close(_augment(views, draws)[0], image * 255, rtol=0, atol=0.01)


@pytest.mark.parametrize('chunk', [1, 700, 10**9])
def test_pieces_on_the_cpu_do_not_change_the_result(monkeypatch, chunk):
    torch.manual_seed(0)
    views, draws = _views(9, 2), _draw(9, 2, **MIXED, global_solarize_prob=(0.0, 0.5))
    expected = _augment(views, draws)
    monkeypatch.setattr(view_augmentation, '_CPU_CHUNK_VALUES', chunk)
    torch.testing.assert_close(_augment(views, draws), expected, rtol=0, atol=1e-3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_gpu_gives_what_the_cpu_gives_and_is_never_waited_for():
    torch.manual_seed(0)
    views, draws = _views(40, 2), _draw(40, 2, **MIXED)
    arguments = views.cuda(), draws, ZERO.cuda(), ONE.cuda()
    torch.cuda.set_sync_debug_mode('error')
    try:
        on_gpu = augment_views(*arguments)
    finally:
        torch.cuda.set_sync_debug_mode('default')
    torch.testing.assert_close(on_gpu.cpu(), _augment(views, draws), rtol=0, atol=0.02)

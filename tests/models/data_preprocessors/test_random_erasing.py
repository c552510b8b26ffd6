import math

import pytest
import torch

from passreid.models.data_preprocessors.random_erasing import RandomErasing

HEIGHT, WIDTH = 64, 32
MANY = 20000


def boxes_of(seed=0, number=MANY, **kwargs):
    torch.manual_seed(seed)
    return RandomErasing(**kwargs).draw_boxes(number, HEIGHT, WIDTH)


@pytest.mark.parametrize('prob', [0.0, 0.5, 1.0])
def test_share_of_erased_images(prob):
    share = (boxes_of(prob=prob)[:, 2] > 0).float().mean().item()
    assert share == pytest.approx(prob, abs=4 * math.sqrt(prob * (1 - prob) / MANY))


@pytest.mark.parametrize(('mode', 'highest'), [('noise', 1 / 3), ('constant', 0.4)])
def test_size_of_boxes(mode, highest):
    top, left, height, width = boxes_of(prob=1.0, mode=mode).T
    # Sides are whole pixels, hence up to half a pixel off.
    area = HEIGHT * WIDTH
    assert ((height + 0.5) * (width + 0.5) >= 0.02 * area).all()
    assert ((height - 0.5) * (width - 0.5) <= highest * area).all()
    assert ((height + 0.5) / (width - 0.5) >= 0.3).all()
    assert ((height - 0.5) / (width + 0.5) <= 1 / 0.3).all()
    assert (top >= 0).all() and (top + height <= HEIGHT).all()
    assert (left >= 0).all() and (left + width <= WIDTH).all()
    # Both ends are reached, and boxes touch all borders.
    shares = height * width / area
    assert shares.min() < 0.025 and shares.max() > 0.97 * highest
    assert (top == 0).any() and (top + height == HEIGHT).any()
    assert (left == 0).any() and (left + width == WIDTH).any()


def test_distribution_of_aspect_ratios():
    # Small boxes all fit, so that none is drawn again.
    low, high = 0.3, 1 / 0.3
    of_uniform = (high * math.log(high) - low * math.log(low)) / (high - low) - 1
    for mode, mean in {'noise': 0.0, 'constant': of_uniform}.items():
        boxes = boxes_of(prob=1.0, mode=mode, area=(0.1, 0.1)).double()
        logarithm = (boxes[:, 2] / boxes[:, 3]).log().mean().item()
        assert logarithm == pytest.approx(mean, abs=0.02)


def test_places_are_uniform():
    boxes = boxes_of(prob=1.0).double()
    free = torch.tensor([HEIGHT, WIDTH]) - boxes[:, 2:]
    place = (boxes[:, :2] + 0.5) / (free + 1)
    for quantile in (0.25, 0.5, 0.75):
        share = (place < quantile).double().mean(0)
        torch.testing.assert_close(share, torch.full_like(share, quantile), atol=0.03, rtol=0)


def test_noise_fills_the_boxes_and_nothing_else():
    images = torch.full((64, 3, HEIGHT, WIDTH), 7.0)
    torch.manual_seed(0)
    erased = RandomErasing(prob=0.5)(images)
    inside = torch.zeros_like(images, dtype=torch.bool)
    for mask, (top, left, height, width) in zip(inside, boxes_of(number=64).tolist(), strict=True):
        mask[:, top : top + height, left : left + width] = True
    assert torch.equal(erased != 7, inside) and (images == 7).all()
    values = erased[inside]
    deviation = 1 / math.sqrt(len(values))
    assert values.mean().item() == pytest.approx(0, abs=4 * deviation)
    assert values.std().item() == pytest.approx(1, abs=4 * deviation)
    # Channels, pixels and images differ.
    assert len(values.unique()) > 0.99 * len(values)


def test_constant_fills_the_boxes():
    images = torch.full((32, 3, HEIGHT, WIDTH), 7.0)
    erased = RandomErasing(prob=1.0, mode='constant', value=(0.1, 0.2, 0.3))(images)
    for channel, value in enumerate((0.1, 0.2, 0.3)):
        is_value = erased[:, channel] == torch.tensor(value)
        assert (is_value | (erased[:, channel] == 7)).all()
        assert is_value.flatten(1).any(1).all()
    default = RandomErasing(prob=1.0, mode='constant')(images)
    assert set(default.unique().tolist()) == set(torch.tensor([0.485, 0.456, 0.406, 7.0]).tolist())


def test_an_unknown_mode_is_named():
    with pytest.raises(ValueError, match='pixel'):
        RandomErasing(mode='pixel')

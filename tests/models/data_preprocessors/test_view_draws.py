import pytest
import torch
from torchvision.transforms import ColorJitter

from passreid.models.data_preprocessors.view_draws import NOT_JITTERED, draw_views

IMAGES = 6000


def _draw(**kwargs):
    torch.manual_seed(0)
    kwargs = {
        'num_images': IMAGES,
        'flip_prob': 0.5,
        'jitter_prob': 0.8,
        'jitter': (0.4, 0.4, 0.2, 0.1),
        'gray_prob': 0.2,
        'blur_prob': (1.0, 0.1),
        'blur_sigma': (0.1, 2.0),
        'solarize_prob': (0.0, 0.2),
        **kwargs,
    }
    return draw_views(**kwargs)


def _share(mask):
    return mask.float().mean().item()


def test_operations_take_part_with_their_probabilities():
    draws = _draw()
    assert _share(draws.flip) == pytest.approx(0.5, abs=0.02)
    assert _share(draws.gray) == pytest.approx(0.2, abs=0.02)
    assert _share(draws.hue_position != NOT_JITTERED) == pytest.approx(0.8, abs=0.02)


def test_blur_and_solarisation_depend_on_the_view():
    draws = _draw()
    first, second = draws[:IMAGES], draws[IMAGES:]
    assert (first.sigma > 0).all() and not first.solarize.any()
    assert _share(second.sigma > 0) == pytest.approx(0.1, abs=0.02)
    assert _share(second.solarize) == pytest.approx(0.2, abs=0.02)


def test_widths_of_the_blur_are_uniform():
    sigma = _draw()[:IMAGES].sigma
    assert 0.1 <= sigma.min() < 0.11 and 1.99 < sigma.max() <= 2.0
    assert sigma.mean().item() == pytest.approx(1.05, abs=0.03)
    assert sigma.std().item() == pytest.approx(1.9 / 12**0.5, abs=0.02)


def test_factors_are_distributed_as_those_of_torchvision():
    draws = _draw()
    ours = torch.cat((draws.factors.gather(1, draws.blends.argsort(1)), draws.hue[:, None]), dim=1)
    jitter = ColorJitter(0.4, 0.4, 0.2, 0.1)
    names = ('brightness', 'contrast', 'saturation', 'hue')
    ranges = [getattr(jitter, name) for name in names]
    theirs = torch.tensor([jitter.get_params(*ranges)[1:] for _ in range(IMAGES)])
    scale = theirs.std(0)
    assert ((ours.mean(0) - theirs.mean(0)).abs() < 0.07 * scale).all()
    assert ((ours.std(0) / scale - 1).abs() < 0.03).all()
    for column, (low, high) in enumerate(ranges):
        assert ours[:, column].min() >= low and ours[:, column].max() <= high


def test_strong_jitter_does_not_go_below_zero():
    factors = _draw(jitter=(1.5, 1.5, 1.5, 0.5)).factors
    assert 0 <= factors.min() < 0.01 and 2.49 < factors.max() <= 2.5


def test_all_24_orders_of_the_jitter_are_equally_frequent():
    draws = _draw(jitter_prob=1.0)
    code = draws.hue_position * 27 + (draws.blends * torch.tensor([9, 3, 1])).sum(1)
    counts = torch.unique(code, return_counts=True)[1]
    assert len(counts) == 24
    expected = 2 * IMAGES / 24
    assert ((counts - expected).abs() < 4.5 * expected**0.5).all()


def test_parameters_are_independent():
    draws = _draw(blur_prob=(1.0,), solarize_prob=(0.5,), jitter_prob=0.5)
    columns = torch.stack(
        (
            draws.flip.float(),
            (draws.hue_position != NOT_JITTERED).float(),
            draws.gray.float(),
            draws.sigma,
            draws.solarize.float(),
            draws.hue,
            *draws.factors.gather(1, draws.blends.argsort(1)).T,
        )
    )
    correlation = torch.corrcoef(columns) - torch.eye(9)
    assert correlation.abs().max() < 4.5 / IMAGES**0.5


def test_processing_order_sorts_by_hue_then_by_blur():
    draws = _draw(num_images=50)
    ordered = draws[draws.processing_order()]
    assert (ordered.hue_position.diff() >= 0).all()
    same = ordered.hue_position.diff() == 0
    assert (ordered.sigma.diff()[same] >= 0).all()


def test_probabilities_of_zero_turn_everything_off():
    off = {'flip_prob': 0.0, 'jitter_prob': 0.0, 'gray_prob': 0.0}
    draws = _draw(**off, blur_prob=(0.0,), solarize_prob=(0.0,))
    assert not (draws.flip.any() or draws.gray.any() or draws.solarize.any() or draws.sigma.any())
    assert (draws.hue_position == NOT_JITTERED).all()

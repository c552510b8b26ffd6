import pytest
import torch
from mmpretrain.structures import DataSample
from torchvision.transforms import ColorJitter

from passreid.models import PASSDataPreprocessor
from passreid.models.data_preprocessors.view_augmentation import NOT_JITTERED

OFF = {
    'flip_prob': 0,
    'jitter_prob': 0,
    'gray_prob': 0,
    'global_blur_prob': 0,
    'local_blur_prob': 0,
    'global_solarize_prob': 0,
}
MEAN = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)
STD = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1)
MANY = 6000


def batch(num_images=4):
    generator = torch.Generator().manual_seed(0)

    def views(*shape):
        return torch.randint(0, 256, (*shape, 3), dtype=torch.uint8, generator=generator)

    inputs = {
        'global_views': views(num_images, 2, 16, 8),
        'local_views': views(num_images, 6, 8, 8),
    }
    return {'inputs': inputs, 'data_samples': [DataSample() for _ in range(num_images)]}


def normalized(views):
    planes = views.transpose(0, 1).flatten(0, 1).permute(0, 3, 1, 2).flip(1).float()
    return (planes - MEAN) / STD


@pytest.mark.parametrize('training', [True, False])
def test_without_augmentation_it_is_exactly_normalisation(training):
    data, state = batch(), torch.get_rng_state()
    output = PASSDataPreprocessor(**(OFF if training else {}))(data, training=training)
    assert training or torch.equal(torch.get_rng_state(), state)
    assert output['data_samples'] is data['data_samples']
    for kind, views in data['inputs'].items():
        assert torch.equal(output['inputs'][kind], normalized(views))


@pytest.mark.parametrize('training', [True, False])
def test_masks_go_with_their_views(training):
    data = batch()
    masks = data['inputs']['masks'] = torch.rand(4, 2, 3, 2) < 0.5
    inputs = PASSDataPreprocessor()(data, training=training)['inputs']
    assert list(inputs) == ['global_views', 'local_views', 'masks']
    assert torch.equal(inputs['masks'], torch.cat((masks[:, 0], masks[:, 1])))


def test_seed_fixes_the_views_under_mixed_precision_too():
    """mmengine calls the data preprocessor inside the context of the optimizer wrapper."""
    preprocessor = PASSDataPreprocessor()

    def run(seed, autocast=False):
        torch.manual_seed(seed)
        with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
            return preprocessor(batch(), training=True)['inputs']

    first, again, other = run(1), run(1, autocast=True), run(2)
    for kind in first:
        assert torch.equal(first[kind], again[kind])
        assert not torch.equal(first[kind], other[kind])


def test_settings_reach_the_operations():
    def changed(**settings):
        torch.manual_seed(0)
        data = batch()
        output = PASSDataPreprocessor(**{**OFF, **settings})(data, True)['inputs']
        return [
            (output[kind] != normalized(views)).flatten(1).any(1).tolist()
            for kind, views in data['inputs'].items()
        ]

    nothing_global, nothing_local = [False] * 8, [False] * 24
    assert changed(global_blur_prob=(1, 0)) == [[True] * 4 + [False] * 4, nothing_local]
    assert changed(global_solarize_prob=(0, 1)) == [[False] * 4 + [True] * 4, nothing_local]
    assert changed(local_blur_prob=1) == [nothing_global, [True] * 24]
    first_part = [1, 1, 0, 0, 0, 0]
    assert changed(local_solarize_prob=first_part)[1] == [True] * 8 + [False] * 16
    none = {'brightness': 0, 'contrast': 0, 'saturation': 0, 'hue': 0}
    jitters = [{'jitter_prob': 1, **none, strength: 0.4} for strength in none]
    for settings in ({'flip_prob': 1}, {'gray_prob': 1}, *jitters):
        assert changed(**settings) == [[True] * 8, [True] * 24]


def test_plain_batches_are_prepared_for_evaluation():
    images = torch.randint(0, 256, (3, 3, 16, 8), dtype=torch.uint8)
    expected = (images.flip(1) - MEAN) / STD
    preprocessor = PASSDataPreprocessor()
    for inputs in (images, list(images)):
        torch.testing.assert_close(preprocessor({'inputs': inputs})['inputs'], expected)
    with pytest.raises(TypeError, match='PartAwareMultiCrop.*default_collate'):
        preprocessor({'inputs': images}, training=True)


def test_number_of_probabilities_is_checked():
    preprocessor = PASSDataPreprocessor(global_blur_prob=(1.0, 0.1, 0.5))
    with pytest.raises(ValueError, match='3 probabilities for 2 global_views'):
        preprocessor(batch(), training=True)


class TestDraws:
    def draw(self, num_images=MANY, **settings):
        torch.manual_seed(0)
        return PASSDataPreprocessor(**settings).draw('global_views', num_images, 2)

    def test_probabilities(self):
        draws = self.draw()
        first, second = draws[:MANY], draws[MANY:]
        assert (first.sigma > 0).all() and not first.solarize.any()
        for mask, share in (
            (draws.flip, 0.5),
            (draws.gray, 0.2),
            (draws.hue_position != NOT_JITTERED, 0.8),
            (second.sigma > 0, 0.1),
            (second.solarize, 0.2),
        ):
            assert mask.float().mean().item() == pytest.approx(share, abs=0.02)

    def test_factors_are_distributed_as_those_of_torchvision(self):
        draws = self.draw()
        factors = draws.factors.gather(1, draws.blends.argsort(1))
        columns = [*factors.T, draws.hue, draws.sigma[:MANY]]
        jitter = ColorJitter(0.4, 0.4, 0.2, 0.1)
        bounds = (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue, (0.1, 2.0))
        for values, (low, high) in zip(columns, bounds, strict=True):
            assert low <= values.min() and values.max() <= high
            uniform = (values - low) / (high - low)
            assert uniform.mean().item() == pytest.approx(0.5, abs=0.02)
            assert uniform.std().item() == pytest.approx(12**-0.5, abs=0.01)
        factors = self.draw(brightness=1.5, contrast=1.5, saturation=1.5).factors
        assert 0 <= factors.min() < 0.01 and 2.49 < factors.max() <= 2.5

    def test_all_24_orders_of_the_jitter_are_equally_frequent(self):
        draws = self.draw(jitter_prob=1.0)
        code = draws.hue_position * 27 + (draws.blends * torch.tensor([9, 3, 1])).sum(1)
        counts = torch.unique(code, return_counts=True)[1]
        assert len(counts) == 24
        expected = 2 * MANY / 24
        assert ((counts - expected).abs() < 4.5 * expected**0.5).all()

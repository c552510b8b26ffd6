import pytest
import torch
from mmpretrain.models import ClsDataPreprocessor
from mmpretrain.structures import DataSample

from passreid.models import PASSDataPreprocessor
from passreid.registry import MODELS

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


def _batch(num_images=4):
    generator = torch.Generator().manual_seed(0)

    def views(*shape):
        return torch.randint(0, 256, (*shape, 3), dtype=torch.uint8, generator=generator)

    inputs = {
        'global_views': views(num_images, 2, 16, 8),
        'local_views': views(num_images, 6, 8, 8),
    }
    return {'inputs': inputs, 'data_samples': [DataSample() for _ in range(num_images)]}


def _normalised(views):
    planes = views.transpose(0, 1).flatten(0, 1).permute(0, 3, 1, 2).flip(1).float()
    return (planes - MEAN) / STD


def test_shapes_and_data_samples_in_training():
    batch = _batch()
    output = MODELS.build({'type': 'PASSDataPreprocessor'})(batch, training=True)
    inputs = output['inputs']
    assert inputs['global_views'].shape == (8, 3, 16, 8)
    assert inputs['local_views'].shape == (24, 3, 8, 8)
    assert inputs['local_views'].dtype == torch.float32
    assert output['data_samples'] is batch['data_samples']


@pytest.mark.parametrize('training', [True, False])
def test_without_augmentation_it_is_exactly_normalisation(training):
    batch = _batch()
    preprocessor = PASSDataPreprocessor(**(OFF if training else {}))
    output = preprocessor(batch, training=training)['inputs']
    for kind, views in batch['inputs'].items():
        assert torch.equal(output[kind], _normalised(views))


def test_views_of_an_image_stay_at_their_place_in_the_batch():
    batch = _batch()
    for image in range(4):
        for view in range(6):
            batch['inputs']['local_views'][image, view] = 10 * image + view
    local_views = PASSDataPreprocessor(mean=(0,) * 3, std=(1,) * 3, **OFF)(batch, True)['inputs'][
        'local_views'
    ]
    expected = [10 * image + view for view in range(6) for image in range(4)]
    assert local_views[:, 0, 0, 0].tolist() == expected


def test_seed_fixes_the_views():
    preprocessor = PASSDataPreprocessor()

    def run(seed):
        torch.manual_seed(seed)
        return preprocessor(_batch(), training=True)['inputs']

    first, again, other = run(1), run(1), run(2)
    for kind in first:
        assert torch.equal(first[kind], again[kind])
        assert not torch.equal(first[kind], other[kind])


def test_mixed_precision_leaves_the_views_alone():
    # mmengine calls the data preprocessor inside the context of the optimiser wrapper.
    preprocessor = PASSDataPreprocessor()
    torch.manual_seed(0)
    expected = preprocessor(_batch(), training=True)['inputs']
    torch.manual_seed(0)
    with torch.autocast('cpu', torch.bfloat16):
        views = preprocessor(_batch(), training=True)['inputs']
    for kind in views:
        assert torch.equal(views[kind], expected[kind])


def test_prediction_draws_nothing():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    PASSDataPreprocessor()(_batch(), training=False)
    assert torch.equal(torch.get_rng_state(), state)


def test_settings_reach_the_operations():
    def changed(**settings):
        torch.manual_seed(0)
        batch = _batch()
        output = PASSDataPreprocessor(**{**OFF, **settings})(batch, True)['inputs']
        return [
            (output[kind] != _normalised(views)).flatten(1).any(1).tolist()
            for kind, views in batch['inputs'].items()
        ]

    nothing_global, nothing_local = [False] * 8, [False] * 24
    assert changed(global_blur_prob=(1, 0)) == [[True] * 4 + [False] * 4, nothing_local]
    assert changed(global_solarize_prob=(0, 1)) == [[False] * 4 + [True] * 4, nothing_local]
    assert changed(local_blur_prob=1) == [nothing_global, [True] * 24]
    first_part = [1, 1, 0, 0, 0, 0]
    assert changed(local_solarize_prob=first_part)[1] == [True] * 8 + [False] * 16
    assert changed(flip_prob=1) == [[True] * 8, [True] * 24]
    assert changed(gray_prob=1) == [[True] * 8, [True] * 24]
    no_jitter = {'brightness': 0, 'contrast': 0, 'saturation': 0, 'hue': 0}
    for strength in no_jitter:
        settings = {**no_jitter, strength: 0.4}
        assert changed(jitter_prob=1, **settings) == [[True] * 8, [True] * 24]


def test_plain_batches_are_prepared_for_evaluation():
    images = torch.randint(0, 256, (3, 3, 16, 8), dtype=torch.uint8)
    expected = (images.flip(1) - MEAN) / STD
    preprocessor = PASSDataPreprocessor()
    samples = [DataSample().set_gt_label(label) for label in range(3)]
    for inputs in (images, list(images)):
        output = preprocessor({'inputs': inputs, 'data_samples': samples})
        torch.testing.assert_close(output['inputs'], expected)
        assert [sample.gt_label.item() for sample in output['data_samples']] == [0, 1, 2]
    assert isinstance(preprocessor, ClsDataPreprocessor)


def test_batches_without_local_views_or_data_samples_work():
    inputs = {'global_views': _batch()['inputs']['global_views']}
    inputs['local_views'] = torch.zeros(4, 0, 8, 8, 3, dtype=torch.uint8)
    output = PASSDataPreprocessor()({'inputs': inputs}, training=True)
    assert output['inputs']['local_views'].shape == (0, 3, 8, 8)
    assert output['data_samples'] is None


def test_training_on_plain_batches_says_what_to_do():
    with pytest.raises(TypeError, match='PartAwareMultiCrop.*default_collate'):
        PASSDataPreprocessor()({'inputs': torch.zeros(2, 3, 8, 8)}, training=True)


def test_number_of_probabilities_is_checked():
    preprocessor = PASSDataPreprocessor(global_blur_prob=(1.0, 0.1, 0.5))
    with pytest.raises(ValueError, match='3 probabilities of global_views blur for 2 views'):
        preprocessor(_batch(), training=True)


@pytest.mark.parametrize(('name', 'value'), [('hue', 0.6), ('blur_sigma', (0, 1))])
def test_impossible_arguments_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=name):
        PASSDataPreprocessor(**{name: value})

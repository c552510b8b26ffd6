import pytest
import torch

from passreid.models import ReIDDataPreprocessor

PUBLISHED = dict(mean=[127.5] * 3, std=[127.5] * 3, to_rgb=True)


def images(number=4, height=16, width=8):
    return torch.randint(0, 256, (number, 3, height, width), dtype=torch.uint8)


def test_a_list_is_stacked():
    prepare, batch = ReIDDataPreprocessor(**PUBLISHED), images()
    listed = prepare(dict(inputs=list(batch)))['inputs']
    assert torch.equal(listed, prepare(dict(inputs=batch))['inputs'])
    mixed = [images(1, 16, 8)[0], images(1, 12, 8)[0]]
    assert prepare(dict(inputs=mixed))['inputs'].shape == (2, 3, 16, 8)


def test_erasing_comes_after_normalisation_and_in_training_alone():
    prepare = ReIDDataPreprocessor(**PUBLISHED, erasing=dict(prob=1.0, mode='constant'))
    batch = images()
    plain = batch.flip(1) / 127.5 - 1
    torch.testing.assert_close(prepare(dict(inputs=batch), training=False)['inputs'], plain)
    erased = prepare(dict(inputs=batch), training=True)['inputs']
    changed = (erased - plain).abs().amax(1) > 1e-6
    assert changed.flatten(1).any(1).all()
    for channel, value in enumerate((0.485, 0.456, 0.406)):
        assert (erased[:, channel][changed] == torch.tensor(value)).all()


def test_mixed_labels_are_refused():
    with pytest.raises(ValueError, match='gt_label'):
        ReIDDataPreprocessor(to_onehot=True)

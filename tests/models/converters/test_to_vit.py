import pytest
import torch
from plain_vits import images, jittered, part_vit, timm_vit

from passreid.models.converters import from_vit_checkpoint, to_vit_checkpoint


@pytest.mark.parametrize('scale', [0.0, 0.1])
def test_timm_loads_it_and_gives_the_same_features(scale):
    model = jittered(part_vit(layer_scale_init_value=scale))
    foreign = timm_vit(num_classes=0, init_values=scale or None)
    foreign.load_state_dict(to_vit_checkpoint(model.state_dict()), strict=True)
    with torch.no_grad():
        expected = foreign.forward_features(images())[:, :1]
        torch.testing.assert_close(model(images())[0], expected, atol=1e-5, rtol=1e-5)


def test_there_and_back():
    weights = timm_vit(num_classes=0).state_dict()
    back = to_vit_checkpoint({'state_dict': from_vit_checkpoint(weights)})
    assert back.keys() == weights.keys()
    assert all(torch.equal(back[name], weights[name]) for name in weights)


def test_parts_have_no_place():
    with pytest.raises(ValueError, match='num_parts=0'):
        to_vit_checkpoint(part_vit(num_parts=3).state_dict())

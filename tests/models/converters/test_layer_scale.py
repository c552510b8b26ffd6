import torch

from passreid.models.converters.layer_scale import add_layer_scale, fold_layer_scale

SCALE, LINEAR = 'layers.0.attn.gamma1.weight', 'layers.0.attn.proj'


def weights(dtype=torch.float32):
    torch.manual_seed(0)
    return {
        SCALE: torch.randn(4, dtype=dtype),
        f'{LINEAR}.weight': torch.randn(4, 3, dtype=dtype),
        f'{LINEAR}.bias': torch.randn(4, dtype=dtype),
    }


def test_outputs_are_scaled():
    before = weights(torch.float64)
    after = dict(before)
    assert fold_layer_scale(after) == [SCALE] and SCALE not in after
    x = torch.randn(5, 3, dtype=torch.float64)
    scaled = (x @ before[f'{LINEAR}.weight'].T + before[f'{LINEAR}.bias']) * before[SCALE]
    folded = x @ after[f'{LINEAR}.weight'].T + after[f'{LINEAR}.bias']
    torch.testing.assert_close(folded, scaled, atol=1e-14, rtol=0)


def test_half_precision_is_not_rounded_twice():
    before = weights(torch.float16)
    after = dict(before)
    fold_layer_scale(after)
    product = before[SCALE].float()[:, None] * before[f'{LINEAR}.weight'].float()
    assert torch.equal(after[f'{LINEAR}.weight'], product)


def test_a_scale_without_its_layer_stays():
    lonely = {SCALE: torch.ones(4)}
    assert fold_layer_scale(lonely) == [] and SCALE in lonely
    assert add_layer_scale({}, [SCALE]) == []


def test_missing_scales_are_one():
    own = weights()
    del own[SCALE]
    assert add_layer_scale(own, [SCALE]) == [SCALE]
    assert torch.equal(own[SCALE], torch.ones(4))
    assert add_layer_scale(own, [SCALE]) == []

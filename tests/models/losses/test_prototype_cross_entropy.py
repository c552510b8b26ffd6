import pytest
import torch

from passreid.models.losses import prototype_cross_entropy


def plain(embeddings, prototypes, targets, temperature):
    """The definition: one term for each pair of a teacher view and another student view."""
    total = 0
    for u in range(len(targets)):
        for v in range(len(embeddings)):
            if u != v:
                log_p = torch.log_softmax(embeddings[v] @ prototypes.T / temperature, dim=-1)
                total = total - (targets[u] * log_p).sum(-1).mean()
    return total


def draw(num_views, num_targets, batch, dtype, prototypes=17, width=6):
    torch.manual_seed(num_views * 100 + batch)
    embeddings = torch.nn.functional.normalize(torch.randn(num_views, batch, width), dim=-1)
    weights = torch.nn.functional.normalize(torch.randn(prototypes, width), dim=-1)
    targets = torch.softmax(5 * torch.randn(num_targets, batch, prototypes, dtype=dtype), -1)
    return embeddings.to(dtype).requires_grad_(), weights.to(dtype).requires_grad_(), targets


# L parts and n local views of each give [CLS] 2 + L n views and a part 2 + n.
@pytest.mark.parametrize('batch', [1, 2, 5])
@pytest.mark.parametrize(('num_views', 'num_targets'), [(11, 2), (5, 2), (2, 2), (7, 3), (9, 1)])
@pytest.mark.parametrize('max_scores', [1, 17 * 5 * 2, 2**24])
def test_equals_the_plain_loop(num_views, num_targets, batch, max_scores):
    inputs = draw(num_views, num_targets, batch, torch.float64)
    expected = plain(*inputs, temperature=0.1)
    expected_gradients = torch.autograd.grad(expected, inputs[:2])
    loss = prototype_cross_entropy(*inputs, temperature=0.1, max_scores=max_scores)
    gradients = torch.autograd.grad(3 * loss, inputs[:2])
    torch.testing.assert_close(loss, expected)
    for found, wanted in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(found, 3 * wanted)


def test_value_without_gradients():
    inputs = draw(5, 2, 3, torch.float32)
    with torch.no_grad():
        value = prototype_cross_entropy(*inputs)
    torch.testing.assert_close(value, plain(*inputs, temperature=0.1).detach())
    assert not value.requires_grad


@pytest.mark.parametrize(('dtype', 'rounding'), [(torch.float16, 2**-11), (torch.bfloat16, 2**-8)])
def test_16_bits_of_images_that_are_all_alike(dtype, rounding):
    """One prototype then has the shares of all rows, whose sum float16 cannot hold."""
    generator = torch.Generator().manual_seed(0)
    alike = torch.nn.functional.normalize(torch.randn(16, generator=generator), dim=-1)
    embeddings = alike.expand(11, 64, -1) + 0.01 * torch.randn(11, 64, 16, generator=generator)
    prototypes = torch.randn(64, 16, generator=generator)
    targets = (embeddings[:2] @ prototypes.T / 0.04).softmax(-1)
    gradients = []
    for enabled in (False, True):
        leaves = [embeddings.clone().requires_grad_(), prototypes.clone().requires_grad_()]
        with torch.autocast('cpu', dtype, enabled=enabled):
            loss = prototype_cross_entropy(*leaves, targets, 0.1, normalize=True)
        loss.backward()
        gradients.append([loss.detach(), *(leaf.grad for leaf in leaves)])
    for exact, half in zip(*gradients, strict=True):
        assert half.dtype == torch.float32
        # The largest roundings come with the scores.
        assert (half - exact).norm() < 4 * rounding * exact.norm()

import pytest
import torch

from passreid.models.losses import masked_cross_entropy, prototype_cross_entropy


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


class TestMaskedCrossEntropy:
    @staticmethod
    def plain(student, prototypes, teacher, teacher_prototypes, center, weights):
        """The definition, row by row."""
        student_rows, teacher_rows = (
            torch.nn.functional.normalize(rows, dim=-1) for rows in (prototypes, teacher_prototypes)
        )
        total = 0
        for row in range(len(student)):
            q = torch.softmax((teacher_rows @ teacher[row] - center) / 0.07, 0)
            log_p = torch.log_softmax(student_rows @ student[row] / 0.1, 0)
            total = total - weights[row] * (q * log_p).sum()
        return total

    @staticmethod
    def draw(rows, prototypes=17, width=6):
        generator = torch.Generator().manual_seed(rows)
        shapes = [(rows, width), (prototypes, width)] * 2 + [(prototypes,), (rows,)]
        inputs = [torch.randn(shape, generator=generator) for shape in shapes]
        inputs[4] *= 0.1
        for place in (0, 2):
            inputs[place] = torch.nn.functional.normalize(inputs[place], dim=-1)
        return [*inputs[:5], inputs[5].exp()]

    @pytest.mark.parametrize('rows', [1, 2, 7])
    @pytest.mark.parametrize('max_scores', [1, 17 * 4, 2**24])
    def test_equals_its_definition(self, rows, max_scores):
        inputs = [value.double() for value in self.draw(rows)]
        leaves = [value.requires_grad_() for value in inputs[:2]]
        expected = self.plain(*inputs)
        options = dict(teacher_temperature=0.07, max_scores=max_scores, normalize=True)
        loss = masked_cross_entropy(*inputs, **options)
        torch.testing.assert_close(loss, expected)
        gradients = torch.autograd.grad(3 * loss, leaves)
        for found, wanted in zip(gradients, torch.autograd.grad(expected, leaves), strict=True):
            torch.testing.assert_close(found, 3 * wanted)
        with torch.no_grad():
            assert torch.equal(masked_cross_entropy(*inputs, **options), loss)

    def test_of_no_rows(self):
        inputs = self.draw(0)
        leaves = [value.requires_grad_() for value in inputs[:2]]
        loss = masked_cross_entropy(*inputs)
        assert loss == 0
        assert not any(gradient.any() for gradient in torch.autograd.grad(loss, leaves))

    @pytest.mark.parametrize(
        ('dtype', 'rounding'), [(torch.float16, 2**-11), (torch.bfloat16, 2**-8)]
    )
    def test_16_bits_of_rows_that_are_all_alike(self, dtype, rounding):
        """One prototype then has the shares of all rows, whose sum float16 cannot hold."""
        inputs = self.draw(6000)
        inputs[0] = inputs[0][:1] + 0.01 * inputs[0]
        inputs[2] = -inputs[0]
        found = []
        for enabled in (False, True):
            leaves = [value.clone().requires_grad_() for value in inputs[:2]]
            with torch.autocast('cpu', dtype, enabled=enabled):
                loss = masked_cross_entropy(*leaves, *inputs[2:], normalize=True)
            loss.backward()
            found.append([loss.detach(), *(leaf.grad for leaf in leaves)])
        for exact, half in zip(*found, strict=True):
            assert half.dtype == torch.float32
            # The largest roundings come with the scores, which the temperatures enlarge.
            assert (half - exact).norm() < 4 * rounding * exact.norm()

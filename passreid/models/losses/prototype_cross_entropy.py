"""Cross-entropy between teacher and student assignments to prototypes."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Scores that are held at once: 2^24 are two views of 128 images at 65,536 prototypes.
MAX_SCORES = 2**24


def prototype_cross_entropy(
    embeddings: Tensor,
    prototypes: Tensor,
    targets: Tensor,
    temperature: float = 0.1,
    max_scores: int = MAX_SCORES,
) -> Tensor:
    """Sum over view pairs of the mean cross-entropy, in little memory.

    The value is ``sum_u sum_{v != u} mean_b H(targets[u, b], p[v, b])`` with
    ``p[v, b] = softmax(prototypes @ embeddings[v, b] / temperature)``; the
    first U views are those that the teacher saw. For one v the sum over u is
    linear in the targets, so each view costs one softmax and one product; the
    gradient is computed together with the value, chunk by chunk, so the scores
    of all views never exist at once.

    Source: `PASS <https://arxiv.org/abs/2203.03931>`_, equation 3.

    Args:
        embeddings (Tensor): Student embeddings ``(V, B, D)``.
        prototypes (Tensor): Prototypes ``(K, D)``.
        targets (Tensor): Teacher probabilities ``(U, B, K)``, float32 or
            float64; no gradient flows into them.
        temperature (float): Temperature of the student.
        max_scores (int): Number of scores that may be held at once; at least
            one view is.

    Returns:
        Tensor: The sum, a scalar.
    """
    return _PrototypeCrossEntropy.apply(embeddings, prototypes, targets, temperature, max_scores)


def _chunks(num_views: int, num_targets: int, view_scores: int, max_scores: int) -> Iterator[slice]:
    """Each view of the teacher alone, the others in groups that fit."""
    for view in range(num_targets):
        yield slice(view, view + 1)
    step = max(1, max_scores // view_scores)
    for start in range(num_targets, num_views, step):
        yield slice(start, min(start + step, num_views))


class _PrototypeCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx,
        embeddings: Tensor,
        prototypes: Tensor,
        targets: Tensor,
        temperature: float,
        max_scores: int,
    ) -> Tensor:
        device = embeddings.device.type
        matmul_dtype = embeddings.dtype
        if torch.is_autocast_enabled(device):
            matmul_dtype = torch.get_autocast_dtype(device)
        with torch.autocast(device, enabled=False):
            loss, *grads = _loss_and_gradients(
                embeddings,
                prototypes,
                targets,
                temperature,
                max_scores,
                matmul_dtype,
                with_gradients=any(ctx.needs_input_grad),
            )
        ctx.save_for_backward(*grads)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output: Tensor):
        grad_embeddings, grad_prototypes = ctx.saved_tensors
        return grad_embeddings * grad_output, grad_prototypes * grad_output, None, None, None


def _loss_and_gradients(
    embeddings: Tensor,
    prototypes: Tensor,
    targets: Tensor,
    temperature: float,
    max_scores: int,
    matmul_dtype: torch.dtype,
    with_gradients: bool,
) -> tuple[Tensor, ...]:
    num_views, batch, _ = embeddings.shape
    num_targets, _, num_prototypes = targets.shape
    total = targets.sum(0)
    weight = prototypes.to(matmul_dtype)
    scaled = (embeddings / temperature).to(matmul_dtype)
    loss = targets.new_zeros(())
    # In float16 the gradient of a single score is below the smallest number.
    lift = 64.0 if matmul_dtype == torch.float16 else 1.0
    if with_gradients:
        grad_embeddings = torch.empty_like(embeddings)
        grad_prototypes = torch.zeros_like(prototypes)

    for views in _chunks(num_views, num_targets, batch * num_prototypes, max_scores):
        of_teacher = views.start < num_targets
        target = total - targets[views.start] if of_teacher else total
        mass = num_targets - 1 if of_teacher else num_targets
        rows = scaled[views].flatten(0, 1)
        log_p = torch.log_softmax(rows @ weight.T, dim=-1, dtype=targets.dtype)
        loss -= (log_p.view(-1, target.numel()) @ target.flatten()).sum()
        if not with_gradients:
            continue
        grad = log_p.exp_().mul_(mass).view(-1, *target.shape).sub_(target).flatten(0, 1)
        grad = grad.mul_(lift).to(matmul_dtype) if lift != 1 else grad.to(matmul_dtype)
        grad_embeddings[views] = (grad @ weight).view_as(embeddings[views])
        if matmul_dtype == grad_prototypes.dtype:
            grad_prototypes.addmm_(grad.T, rows)
        else:
            grad_prototypes += grad.T @ rows
    if not with_gradients:
        return (loss / batch,)
    grad_embeddings /= temperature * batch * lift
    grad_prototypes /= batch * lift
    return loss / batch, grad_embeddings, grad_prototypes

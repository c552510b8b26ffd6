"""Cross-entropy between teacher and student assignments to prototypes."""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Scores that are held at once: 2^25 are four views of 128 images at 65,536 prototypes.
MAX_SCORES = 2**25


def prototype_cross_entropy(
    embeddings: Tensor,
    prototypes: Tensor,
    targets: Tensor,
    temperature: float = 0.1,
    max_scores: int = MAX_SCORES,
    normalize: bool = False,
) -> Tensor:
    """Sum over view pairs of the mean cross-entropy, a scalar, in little memory.

    The value is ``sum_u sum_{v != u} mean_b H(targets[u, b], p[v, b])`` with ``p[v, b] =
    softmax(prototypes @ embeddings[v, b] / temperature)``; the first U views are those that the
    teacher saw.

    A cross-entropy is the log-sum-exp of the scores minus the score of the prototypes' mean under
    the target. The means cost one product for each view of the teacher, whatever the number of
    pairs; the rest does not depend on the targets and costs one softmax for each student view. The
    gradient is computed together with the value, chunk by chunk, so the scores of all views never
    exist at once.

    Args:
        embeddings (Tensor): Student embeddings ``(V, B, D)``.
        prototypes (Tensor): Prototypes ``(K, D)``.
        targets (Tensor): Teacher probabilities ``(U, B, K)``, float32 or float64; without gradient.
        temperature (float): Temperature of the student.
        max_scores (int): Number of scores that may be held at once, but for one embedding's.
        normalize (bool): Use the prototypes at unit length; the gradient is that of the given ones.
    """
    return _PrototypeCrossEntropy.apply(
        embeddings, prototypes, targets, temperature, max_scores, normalize
    )


def masked_cross_entropy(
    embeddings: Tensor,
    prototypes: Tensor,
    teacher_embeddings: Tensor,
    teacher_prototypes: Tensor,
    center: Tensor,
    weights: Tensor,
    temperature: float = 0.1,
    teacher_temperature: float = 0.04,
    max_scores: int = MAX_SCORES,
    normalize: bool = False,
) -> Tensor:
    """Weighted sum of cross-entropies between paired rows, a scalar, in little memory.

    The value is ``sum_r weights[r] * H(q[r], p[r])`` with the student's ``p[r] = softmax(prototypes
    @ embeddings[r] / temperature)`` and the teacher's ``q[r] = softmax((teacher_prototypes @
    teacher_embeddings[r] - center) / teacher_temperature)``: the loss of masked patches of `iBOT
    <https://arxiv.org/abs/2111.07832>`_, section 3.1. The gradient is computed together with the
    value, chunk by chunk, so the scores of all rows never exist at once.

    Args:
        embeddings (Tensor): Student embeddings ``(R, D)``; R may be 0.
        prototypes (Tensor): Prototypes of the student ``(K, D)``.
        teacher_embeddings (Tensor): Teacher embeddings ``(R, D)``, without gradient.
        teacher_prototypes (Tensor): Prototypes of the teacher ``(K, D)``, without gradient.
        center (Tensor): Center of the teacher's scores ``(K,)``.
        weights (Tensor): Weights of the rows ``(R,)``.
        temperature (float): Temperature of the student.
        teacher_temperature (float): Temperature of the teacher.
        max_scores (int): Number of scores that may be held at once, but for one row's.
        normalize (bool): Use the prototypes at unit length; the gradient is that of the given ones.
    """
    return _MaskedCrossEntropy.apply(
        embeddings,
        prototypes,
        teacher_embeddings,
        teacher_prototypes,
        center,
        weights,
        temperature,
        teacher_temperature,
        max_scores,
        normalize,
    )


def inverse_norms(prototypes: Tensor) -> Tensor:
    """Factors ``(K, 1)`` that bring prototypes ``(K, D)`` to unit length."""
    return torch.linalg.vector_norm(prototypes, dim=-1, keepdim=True).clamp_min(1e-12).reciprocal()


class _WithGradients(torch.autograd.Function):
    """A loss whose gradients, of its first two inputs, were computed with its value."""

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output: Tensor):
        prototypes, scales, grad_embeddings, grad_weight = ctx.saved_tensors
        of_embeddings, of_weight = (grad_output / divisor for divisor in ctx.divisors)
        grad_embeddings = grad_embeddings * of_embeddings
        others = (None,) * (len(ctx.needs_input_grad) - 2)
        if scales is None:
            return grad_embeddings, grad_weight * of_weight, *others
        # The length of a prototype does not count: no gradient along it.
        along = torch.einsum('kd,kd->k', prototypes, grad_weight).unsqueeze(1).mul_(scales**2)
        grad_prototypes = torch.addcmul(grad_weight, prototypes, along, value=-1)
        return grad_embeddings, grad_prototypes.mul_(scales * of_weight), *others


class _PrototypeCrossEntropy(_WithGradients):
    @staticmethod
    def forward(
        ctx,
        embeddings: Tensor,
        prototypes: Tensor,
        targets: Tensor,
        temperature: float,
        max_scores: int,
        normalize: bool,
    ) -> Tensor:
        dtype, lift = _precision(embeddings)
        batch = embeddings.shape[1]
        with torch.autocast(embeddings.device.type, enabled=False):
            scales = inverse_norms(prototypes) if normalize else None
            loss, *grads = _loss_and_gradients(
                embeddings / temperature,
                _scaled(prototypes, scales, dtype),
                targets,
                max_scores,
                lift,
                with_gradients=any(ctx.needs_input_grad),
            )
        ctx.divisors = (lift * batch * temperature, lift * batch)
        ctx.save_for_backward(prototypes, scales, *grads)
        return loss / batch


class _MaskedCrossEntropy(_WithGradients):
    @staticmethod
    def forward(
        ctx,
        embeddings: Tensor,
        prototypes: Tensor,
        teacher_embeddings: Tensor,
        teacher_prototypes: Tensor,
        center: Tensor,
        weights: Tensor,
        temperature: float,
        teacher_temperature: float,
        max_scores: int,
        normalize: bool,
    ) -> Tensor:
        dtype, lift = _precision(embeddings)
        precise = torch.promote_types(embeddings.dtype, torch.float32)
        with torch.autocast(embeddings.device.type, enabled=False):
            scales, teacher_scales = (
                inverse_norms(rows) if normalize else None
                for rows in (prototypes, teacher_prototypes)
            )
            weight = _scaled(prototypes, scales, dtype)
            teacher_weight = _scaled(teacher_prototypes, teacher_scales, dtype)
            rows, targets = embeddings / temperature, teacher_embeddings.to(dtype)
            shares = weights.to(precise).unsqueeze(1)
            loss = rows.new_zeros((), dtype=precise)
            grad_rows = torch.zeros_like(rows)
            grad_weight = torch.zeros_like(prototypes, dtype=precise)
            # Those of student and teacher.
            step = max(1, max_scores // (2 * len(weight)))
            for start in range(0, len(rows), step):
                chunk = slice(start, start + step)
                q = (targets[chunk] @ teacher_weight.T).to(precise)
                q = q.sub_(center).div_(teacher_temperature).softmax(-1)
                scores = rows[chunk].to(dtype) @ weight.T
                p = scores.softmax(-1, dtype=precise)
                log_sums = scores.amax(-1).to(precise) - p.amax(-1).log()
                loss += (log_sums - (q * scores).sum(-1)) @ shares[chunk, 0]
                if any(ctx.needs_input_grad):
                    difference = p.sub_(q).mul_(lift).to(dtype)
                    grad_rows[chunk] = (difference @ weight) * shares[chunk]
                    grad_weight += _product(difference.T, rows[chunk] * shares[chunk], lift)
        ctx.divisors = (lift * temperature, lift)
        ctx.save_for_backward(prototypes, scales, grad_rows, grad_weight)
        return loss


def _precision(embeddings: Tensor) -> tuple[torch.dtype, float]:
    """Type of the products, and the factor of probabilities that are given with that type."""
    device, dtype = embeddings.device.type, embeddings.dtype
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
    # In float16 the probability of a single prototype is below the smallest number.
    return dtype, 64.0 if dtype == torch.float16 else 1.0


def _scaled(prototypes: Tensor, scales: Tensor | None, dtype: torch.dtype) -> Tensor:
    """Prototypes times ``scales`` as ``dtype``; new tensors of that size cost, so one is made."""
    weight = prototypes.to(dtype)
    if scales is None:
        return weight
    return weight * scales if weight is prototypes else weight.mul_(scales.to(dtype))


def _loss_and_gradients(
    embeddings: Tensor,
    weight: Tensor,
    targets: Tensor,
    max_scores: int,
    lift: float,
    with_gradients: bool,
) -> tuple[Tensor, ...]:
    """Give the value summed over the batch and, times ``lift``, its gradients.

    Embeddings are divided by the temperature; products are computed with the
    type of ``weight``.
    """
    dtype, precise = weight.dtype, targets.dtype
    num_views, batch, _ = embeddings.shape
    num_targets, num_rows = len(targets), num_views * batch
    step = min(num_rows, max(1, max_scores // len(weight)))
    # Targets and probabilities lie one after the other, so that one product serves both.
    both = targets.new_empty(num_targets * batch + step, len(weight), dtype=dtype)
    lifted, probabilities = both.tensor_split((num_targets * batch,))
    lifted.copy_((targets if lift == 1 else targets * lift).flatten(0, 1))

    means = (lifted @ weight).to(precise).view(num_targets, batch, -1)
    # For each student view the sum over the views of the teacher but itself.
    means_of_others = means.sum(0).repeat(num_views, 1, 1)
    means_of_others[:num_targets] -= means
    loss = (means_of_others * embeddings).sum() / -lift
    grad_embeddings = means_of_others.neg_().flatten(0, 1)
    grad_weight = None
    pulled = (embeddings[:num_targets] - embeddings.sum(0)).flatten(0, 1)
    counts = targets.new_full((num_views, batch), num_targets)
    counts[:num_targets] -= 1
    rows, counts = embeddings.flatten(0, 1), counts.view(-1, 1)
    for start in range(0, num_rows, step):
        chunk = slice(start, start + step)
        scores = rows[chunk].to(dtype) @ weight.T
        p = probabilities[: len(scores)]
        if dtype == torch.float16:
            exact = scores.softmax(-1, dtype=precise)
            p.copy_(exact * lift)
        else:
            exact = torch.softmax(scores, -1, out=p)
        log_sums = scores.amax(-1).to(precise) - exact.amax(-1).to(precise).log()
        loss += log_sums @ counts[chunk, 0]
        if not with_gradients:
            continue
        grad_embeddings[chunk] += (p @ weight) * counts[chunk]
        weighted = rows[chunk] * counts[chunk]
        if grad_weight is None:
            p, weighted = both[: len(lifted) + len(p)], torch.cat((pulled, weighted))
            grad_weight = _product(p.T, weighted, lift)
        elif dtype == precise:
            grad_weight.addmm_(p.T, weighted)
        else:
            grad_weight += _product(p.T, weighted, lift)
    if grad_weight is None:
        return (loss,)
    return loss, grad_embeddings.view_as(embeddings).to(embeddings.dtype), grad_weight


def _product(shares: Tensor, rows: Tensor, largest: float) -> Tensor:
    """Give ``shares (K, R) @ rows (R, D)`` with the precision of ``rows``; see below for float16.

    Where all images are alike, one prototype has all of their shares, each ``largest``, and the
    sum over the rows leaves the range of float16: it is then computed on a smaller scale.
    """
    if shares.dtype != torch.float16:
        return (shares @ rows.to(shares.dtype)).to(rows.dtype)
    bound = rows.abs().amax() * (largest * len(rows))
    scale = (torch.finfo(torch.float16).max / 2 / bound).clamp_(max=1)
    return (shares @ (rows * scale).half()).to(rows.dtype) / scale

"""Pseudo labels refined by parts, and losses of parts by their agreement.

Source: Cho et al., `Part-based Pseudo Label Refinement for Unsupervised Person Re-identification
<https://arxiv.org/abs/2203.14675>`_, CVPR 2022.
"""

from math import log

import torch
from torch import Tensor


@torch.no_grad()
def refined_targets(
    part_logits: Tensor, agreement: Tensor, labels: Tensor, beta: float = 0.5
) -> Tensor:
    """Mix the labels with predictions of the parts, weighted by their agreement.

    Args:
        part_logits (Tensor): ``(B, L, C)``.
        agreement (Tensor): ``(B, L)``, see :func:`passreid.clustering.cross_agreement`; its softmax
            over the parts gives their weights.
        labels (Tensor): ``(B,)`` int64, -1 for images that do not count.
        beta (float): Weight of the label. Defaults to 0.5.

    Returns:
        Tensor: Probabilities ``(B, C)`` without gradient; zeros for images that do not count,
        so that they add nothing to a cross-entropy.
    """
    weights = agreement.softmax(1).unsqueeze(2)
    ensemble = (weights * part_logits.softmax(2)).sum(1)
    one_hot = labels[:, None] == torch.arange(part_logits.shape[2], device=labels.device)
    targets = beta * one_hot + (1 - beta) * ensemble
    return targets.masked_fill((labels < 0)[:, None], 0)


def agreement_loss(part_logits: Tensor, labels: Tensor, agreement: Tensor) -> Tensor:
    """Smooth the labels of the parts the more, the less they agree with the global feature.

    The loss of a part with the prediction ``q`` and the agreement ``a`` is
    ``-a log q[label] + (1 - a) KL(uniform || q)``.

    Args:
        part_logits (Tensor): ``(B, L, C)``.
        labels (Tensor): ``(B,)`` int64, -1 for images that do not count.
        agreement (Tensor): ``(B, L)`` from 0 to 1.

    Returns:
        Tensor: Mean over the images that count and their parts, a scalar; 0 without such images.
    """
    _, num_parts, num_classes = part_logits.shape
    log_q = part_logits.log_softmax(2)
    # Any class will do for images that do not count.
    classes = labels.clamp_min(0)[:, None, None].expand(-1, num_parts, 1)
    of_label = -log_q.gather(2, classes).squeeze(2)
    from_uniform = -log(num_classes) - log_q.mean(2)
    losses = agreement * of_label + (1 - agreement) * from_uniform
    counted = labels >= 0
    total = losses.masked_fill(~counted[:, None], 0).sum()
    return total / (num_parts * counted.sum().clamp_min(1))

"""Centers and part-wise loss of PASS."""

from collections.abc import Sequence
from math import log

import torch
from torch import Tensor
from torch.nn import functional as F

from passreid.registry import MODELS

from ..losses import inverse_norms, prototype_cross_entropy
from .centered_head import CenteredHead


@MODELS.register_module()
class PASSHead(CenteredHead):
    """Self-distillation loss of [CLS] over all views and of each [PART] over its own.

    The teacher's assignments are centered and sharpened; the center of each
    token follows the mean of the teacher's scores once an optimiser step (see
    :meth:`update_centers`), over the views, the accumulated batches and the
    processes.

    Source: `PASS <https://arxiv.org/abs/2203.03931>`_, section 3.3, and `DINO
    <https://arxiv.org/abs/2104.14294>`_, section 3.1.

    Args:
        out_channels (int): Number K of prototypes a token. Defaults to 65536.
        num_parts (int): Number L of [PART] tokens. Defaults to 3.
        **kwargs: Of :class:`CenteredHead`.
    """

    def __init__(self, out_channels: int = 65536, num_parts: int = 3, **kwargs) -> None:
        super().__init__(1 + num_parts, out_channels, **kwargs)

    def loss(
        self,
        student: Sequence[Tensor],
        student_prototypes: Sequence[Tensor],
        teacher: Sequence[Tensor],
        teacher_prototypes: Sequence[Tensor],
        num_global_views: int = 2,
    ) -> dict[str, Tensor]:
        """Compute the loss and the health of the teacher.

        All sequences have one entry for [CLS] and each [PART]: embeddings of the student ``(V * B,
        D)``, view after view, the ``U = num_global_views`` global views first (V may differ between
        tokens), those of the teacher ``(U * B, D)``, and prototypes ``(K, D)``, used at unit
        length.

        ``loss_cls`` and, with parts, ``loss_part`` are the summands of the mean over all (token,
        teacher view, student view) terms. ``teacher_entropy`` (nats) is a mean over images and
        tokens, ``teacher_kl_uniform`` that of the batch's mean assignment, ``teacher_information``
        the entropy of the mean assignment minus mean entropy, smallest over the tokens; 0 is
        collapse.
        """
        batch = len(teacher[0]) // num_global_views
        sums, health, num_terms = [], [], 0
        for token, embeddings in enumerate(student):
            targets, figures = self._targets(
                token, teacher[token], teacher_prototypes[token], num_global_views
            )
            views = embeddings.unflatten(0, (-1, batch))
            sums.append(
                prototype_cross_entropy(
                    views,
                    student_prototypes[token],
                    targets,
                    self.student_temperature,
                    normalize=True,
                )
            )
            health.append(figures)
            num_terms += num_global_views * (len(views) - 1)
        losses = {'loss_cls': sums[0] / num_terms}
        if len(sums) > 1:
            losses['loss_part'] = torch.stack(sums[1:]).sum() / num_terms
        entropy, kl_uniform, information = torch.stack(health).unbind(1)
        losses['teacher_entropy'] = entropy.mean()
        losses['teacher_kl_uniform'] = kl_uniform.mean()
        losses['teacher_information'] = information.min()
        return losses

    @torch.no_grad()
    def _targets(
        self, token: int, embeddings: Tensor, prototypes: Tensor, num_views: int
    ) -> tuple[Tensor, Tensor]:
        """Teacher probabilities ``(U, B, K)`` and their health figures ``(3,)``."""
        dtype = torch.promote_types(embeddings.dtype, torch.float)
        cosines = F.linear(embeddings, prototypes).to(dtype).mul_(inverse_norms(prototypes).T)
        self.score_sums[token] += cosines.sum(0)
        if token == 0:
            self.score_count += len(cosines)
        # A sum over all scores, which under autocast would leave the range of float16.
        with torch.autocast(cosines.device.type, enabled=False):
            scores = cosines.sub_(self.centers[token]).div_(self.teacher_temperature)
            q = scores.softmax(-1)
            log_sums = scores.amax(-1) - q.amax(-1).log()
            entropy = log_sums.mean() - (q.flatten() @ scores.flatten()) / len(q)
            mean = q.mean(0)
            entropy_of_mean = torch.special.entr(mean).sum()
        figures = (entropy, log(len(mean)) - entropy_of_mean, entropy_of_mean - entropy)
        return q.unflatten(0, (num_views, -1)), torch.stack(figures)

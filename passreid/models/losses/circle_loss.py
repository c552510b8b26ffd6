"""Circle loss."""

from torch import Tensor

from passreid.registry import MODELS

from .cosine_margin_loss import CosineMarginLoss


@MODELS.register_module()
class CircleLoss(CosineMarginLoss):
    """Circle loss with class-level labels: each cosine is weighted by how far it has to go.

    Source: `Circle Loss: A Unified Perspective of Pair Similarity Optimization
    <https://arxiv.org/abs/2002.10857>`_, section 3.3.

    Args:
        margin (float): Relaxation: right identities aim at a cosine of ``1 + margin``, wrong
            ones at ``-margin``. Defaults to 0.25.
        scale (float): Factor of the scores. Defaults to 128.
        loss_weight (float): Factor of the loss. Defaults to 1.0.
    """

    def __init__(
        self, margin: float = 0.25, scale: float = 128.0, loss_weight: float = 1.0
    ) -> None:
        super().__init__(margin, scale, loss_weight)

    def right(self, cosines: Tensor) -> Tensor:
        """Weight by the distance to ``1 + margin``; see :class:`CosineMarginLoss`."""
        weights = (1 + self.margin - cosines.detach()).clamp_min(0)
        return weights * (cosines - (1 - self.margin))

    def wrong(self, cosines: Tensor) -> Tensor:
        """Weight by the distance to ``-margin``; see :class:`CosineMarginLoss`."""
        weights = (cosines.detach() + self.margin).clamp_min(0)
        return weights * (cosines - self.margin)

"""CosFace."""

from torch import Tensor

from passreid.registry import MODELS

from .cosine_margin_loss import CosineMarginLoss


@MODELS.register_module()
class CosFaceLoss(CosineMarginLoss):
    """Additive cosine margin.

    Source: `CosFace: Large Margin Cosine Loss for Deep Face Recognition
    <https://arxiv.org/abs/1801.09414>`_, equation 4.

    Args:
        margin (float): Taken off the cosine of the right identity. Defaults to 0.35.
        scale (float): Factor of the scores. Defaults to 64.
        loss_weight (float): Factor of the loss. Defaults to 1.0.
    """

    def __init__(self, margin: float = 0.35, scale: float = 64.0, loss_weight: float = 1.0) -> None:
        super().__init__(margin, scale, loss_weight)

    def right(self, cosines: Tensor) -> Tensor:
        """Take the margin off; see :class:`CosineMarginLoss`."""
        return cosines - self.margin

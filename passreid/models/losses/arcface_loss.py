"""ArcFace."""

from math import cos, pi, sin

from torch import Tensor

from passreid.registry import MODELS

from .cosine_margin_loss import CosineMarginLoss


@MODELS.register_module()
class ArcFaceLoss(CosineMarginLoss):
    """Additive angular margin.

    Source: `ArcFace: Additive Angular Margin Loss for Deep Face Recognition
    <https://arxiv.org/abs/1801.07698>`_, equation 3.

    Args:
        margin (float): Added to the angle of the right identity, in radians in
            [0, pi). Defaults to 0.5.
        scale (float): Factor of the scores. Defaults to 64.
        loss_weight (float): Factor of the loss. Defaults to 1.0.
    """

    def __init__(self, margin: float = 0.5, scale: float = 64.0, loss_weight: float = 1.0) -> None:
        super().__init__(margin, scale, loss_weight)

    def right(self, cosines: Tensor) -> Tensor:
        """Widen the angles; see :class:`CosineMarginLoss`."""
        sines = (1 - cosines.square()).clamp_min(1e-7).sqrt()
        widened = cosines * cos(self.margin) - sines * sin(self.margin)
        # Beyond pi the cosine rises again; a line keeps the score falling with the angle.
        beyond = cosines - self.margin * sin(self.margin)
        return widened.where(cosines > cos(pi - self.margin), beyond)

"""Identity losses that put a margin between cosines."""

from abc import ABC, abstractmethod
from math import cos, pi, sin

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from passreid.registry import MODELS


class CosineMarginLoss(nn.Module, ABC):
    """Cross-entropy over scores that a margin makes of cosines.

    :class:`ReIDHead` gives an identity loss whose ``takes_cosines`` is true the
    cosines between features and classifier weights instead of their products.

    Args:
        margin (float): What the right identity must be ahead by; its unit is the subclass's.
        scale (float): Factor of the scores.
        loss_weight (float): Factor of the loss. Defaults to 1.0.
    """

    takes_cosines = True

    def __init__(self, margin: float, scale: float, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.margin = margin
        self.scale = scale
        self.loss_weight = loss_weight

    @abstractmethod
    def right(self, cosines: Tensor) -> Tensor:
        """Scores, before the scale, of the right identities from their cosines ``(B, 1)``."""

    def wrong(self, cosines: Tensor) -> Tensor:
        """Scores, before the scale, of wrong identities from cosines ``(B, K)``."""
        return cosines

    def forward(self, cosines: Tensor, labels: Tensor) -> Tensor:
        """Compute the mean, a float32 scalar, of cosines ``(B, K)`` and labels ``(B,)`` int64."""
        with torch.autocast(cosines.device.type, enabled=False):
            cosines = cosines.float()
            index = labels.unsqueeze(1)
            scores = self.wrong(cosines).scatter(1, index, self.right(cosines.gather(1, index)))
            return self.loss_weight * F.cross_entropy(self.scale * scores, labels)


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

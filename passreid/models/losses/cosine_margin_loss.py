"""Base of the identity losses that work on cosines."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F


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
        """Compute the mean over the batch, in float32.

        Args:
            cosines (Tensor): Between each feature and each identity, ``(B, K)``.
            labels (Tensor): Identities ``(B,)``, int64.

        Returns:
            Tensor: The loss, a scalar.
        """
        with torch.autocast(cosines.device.type, enabled=False):
            cosines = cosines.float()
            index = labels.unsqueeze(1)
            scores = self.wrong(cosines).scatter(1, index, self.right(cosines.gather(1, index)))
            return self.loss_weight * F.cross_entropy(self.scale * scores, labels)

"""Instance-batch normalisation."""

import torch
from torch import Tensor, nn


class InstanceBatchNorm2d(nn.Module):
    """Normalise the first half of the channels by instance, the rest by batch.

    Source: `Two at Once: Enhancing Learning and Generalization Capacities via
    IBN-Net <https://arxiv.org/abs/1807.09441>`_, section 3.

    Args:
        num_channels (int): Number of channels; at least 2.
    """

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.num_instance_channels = num_channels // 2
        self.instance_norm = nn.InstanceNorm2d(self.num_instance_channels, affine=True)
        self.batch_norm = nn.BatchNorm2d(num_channels - self.num_instance_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise.

        Args:
            x (Tensor): Feature maps ``(B, C, H, W)``.

        Returns:
            Tensor: Normalised feature maps, same shape.
        """
        by_instance, by_batch = x.tensor_split((self.num_instance_channels,), dim=1)
        return torch.cat((self.instance_norm(by_instance), self.batch_norm(by_batch)), dim=1)

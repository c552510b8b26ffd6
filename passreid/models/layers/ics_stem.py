"""Convolutional stem with instance-batch normalisation."""

import torch
from mmengine.model import BaseModule
from mmpretrain.models.utils import to_2tuple
from torch import Tensor, nn


class InstanceBatchNorm2d(nn.Module):
    """Normalise the first half of the channels by instance, the rest by batch.

    Source: `IBN-Net <https://arxiv.org/abs/1807.09441>`_, section 3.
    """

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.num_instance_channels = num_channels // 2
        self.instance_norm = nn.InstanceNorm2d(self.num_instance_channels, affine=True)
        self.batch_norm = nn.BatchNorm2d(num_channels - self.num_instance_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise feature maps ``(B, C, H, W)``."""
        by_instance, by_batch = x.tensor_split((self.num_instance_channels,), dim=1)
        return torch.cat((self.instance_norm(by_instance), self.batch_norm(by_batch)), dim=1)


class ICSStem(BaseModule):
    """IBN-based convolution stem, a drop-in for the patch embedding with an even patch size.

    Three 3x3-style convolutions at half resolution (the first 7x7, stride 2), normalised by IBN,
    IBN and BN, then a patch projection.

    Source: `Self-Supervised Pre-Training for Transformer-Based Person Re-Identification
    <https://arxiv.org/abs/2111.12084>`_, section 3.3.
    """

    def __init__(
        self,
        embed_dims: int,
        input_size: int | tuple[int, int],
        patch_size: int = 16,
        in_channels: int = 3,
        hidden_channels: int = 64,
    ) -> None:
        super().__init__()
        if patch_size % 2:
            raise ValueError(f'The ICS stem halves the image first: patch_size={patch_size} is odd')
        height, width = to_2tuple(input_size)
        self.init_out_size = (height // patch_size, width // patch_size)
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, hidden_channels, 7, stride=2, padding=3, bias=False),
            InstanceBatchNorm2d(hidden_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden_channels, hidden_channels, 3, padding=1, bias=False),
            InstanceBatchNorm2d(hidden_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden_channels, hidden_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(hidden_channels),
            nn.ReLU(inplace=True),
        )
        side = patch_size // 2
        self.projection = nn.Conv2d(hidden_channels, embed_dims, side, stride=side)

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Turn images ``(B, channels, H, W)`` into tokens ``(B, h * w, C)``, grid (h, w)."""
        x = self.projection(self.stem(x))
        return x.flatten(2).transpose(1, 2), (x.shape[2], x.shape[3])

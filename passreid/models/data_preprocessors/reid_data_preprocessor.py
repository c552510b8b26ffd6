"""Data preprocessor of supervised re-identification."""

from collections.abc import Sequence

from mmpretrain.models import ClsDataPreprocessor
from torch import Tensor, stack, tensor

from passreid.registry import MODELS

from .random_erasing import RandomErasing


@MODELS.register_module()
class ReIDDataPreprocessor(ClsDataPreprocessor):
    """Normalise images and, in training, erase boxes of them, batched on the model's device.

    Labels stay where they are: neither erasing nor evaluation needs them on the device.

    Args:
        mean (Sequence[float], optional): Mean of the R, G, B channels in [0, 255]; None leaves
            values in that range.
        std (Sequence[float], optional): Standard deviation of the R, G, B channels.
        to_rgb (bool): Whether images come as BGR. Defaults to False.
        pixels_of_weights (bool): Whether mean and std become those that the weights of the backbone
            were trained with, where their file says so, as those of this package do.
            Defaults to False.
        erasing (dict, optional): Arguments of :class:`RandomErasing`; None for no erasing.
        non_blocking (bool): Whether to copy to the device while the host goes on. Defaults to
            True.
        **kwargs: Of :class:`mmpretrain.models.ClsDataPreprocessor`, but for what mixes labels.

    Examples:
        >>> import torch
        >>> from passreid.models import ReIDDataPreprocessor
        >>> prepare = ReIDDataPreprocessor(
        ...     mean=[127.5] * 3, std=[127.5] * 3, erasing=dict(prob=0.5, mode='noise')
        ... )
        >>> batch = dict(inputs=torch.zeros(4, 3, 256, 128, dtype=torch.uint8))
        >>> prepare(batch, training=True)['inputs'].shape
        torch.Size([4, 3, 256, 128])
    """

    def __init__(
        self,
        *args,
        pixels_of_weights: bool = False,
        erasing: dict | None = None,
        non_blocking: bool = True,
        **kwargs,
    ) -> None:
        super().__init__(*args, **kwargs)
        if self.batch_augments is not None or self.to_onehot:
            raise ValueError(
                'ReIDDataPreprocessor has no batch_augments and no to_onehot: a person is one '
                'identity, and ReIDHead reads gt_label'
            )
        if pixels_of_weights and not hasattr(self, 'std'):
            raise ValueError(
                'pixels_of_weights needs mean and std, for files that do not say theirs'
            )
        self.pixels_of_weights = pixels_of_weights
        self.erasing = None if erasing is None else RandomErasing(**erasing)
        self._non_blocking = non_blocking

    def take_pixels(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Normalise by the mean and std of R, G, B that weights were trained with."""
        self.mean.copy_(tensor(mean).view(-1, 1, 1))
        self.std.copy_(tensor(std).view(-1, 1, 1))

    def forward(self, data: dict, training: bool = False) -> dict:
        """Prepare images ``(B, 3, H, W)``, or a list of B images, to float32 RGB on the device."""
        images = data['inputs']
        if not isinstance(images, Tensor) and len({image.shape for image in images}) == 1:
            # One copy to the device, and one operation for all images instead of one for each.
            images = stack(list(images))
        images = super().forward({'inputs': images}, training)['inputs']
        if training and self.erasing is not None:
            images = self.erasing(images)
        return {'inputs': images, 'data_samples': data.get('data_samples')}

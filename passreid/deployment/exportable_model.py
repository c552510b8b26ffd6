"""A model as a function from images to features."""

from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.utils import to_2tuple
from torch import Tensor, nn
from torch.nn import functional as F

from passreid.models import PartViT

from .export_info import ExportInfo, fingerprint
from .feature_network import feature_network
from .fixed_positions import fix_positions


class ExportableModel(nn.Module):
    """A copy of what a model needs for features, for images of one size.

    Its features are those that ``tools/test.py`` compares; with ``flip`` those of
    ``tools/test.py --tta flip``.

    Args:
        model (BaseModel): An ``ImageClassifier`` with :class:`ReIDHead`, :class:`ClusterContrast`
            or :class:`PASS`, whose teacher is taken. It is not changed.
        normalize (bool): Whether features have unit length. The test of :class:`ClusterContrast`
            compares them as its neck gives them, which is not the same after UDA, where each token
            has a neck of its own. Defaults to True.
        raw_input (bool): Whether images are RGB values in [0, 255] and normalised here, so that
            nobody can get it wrong; else they are normalised already. Defaults to True.
        flip (bool): Whether to average the unit features of an image and its mirror image; without
            ``normalize`` the mean stays shorter than 1. Takes twice as long. Defaults to False.
        image_size (tuple[int, int], optional): Size (h, w) of the images in pixels. Defaults to
            that of the backbone.
        config (str): Name of the model's config, for :attr:`info`. Defaults to ''.

    Raises:
        TypeError: When the model is of another kind.
        ValueError: When the model's backbone has no usual image size and none is given.

    Examples:
        >>> import torch
        >>> from passreid import get_model
        >>> from passreid.deployment import ExportableModel
        >>> model = ExportableModel(get_model('pass-supervised_vit-t8_synthetic'))
        >>> model(torch.rand(2, 3, 64, 32) * 255).shape
        torch.Size([2, 256])
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        model: BaseModel,
        *,
        normalize: bool = True,
        raw_input: bool = True,
        flip: bool = False,
        image_size: tuple[int, int] | None = None,
        config: str = '',
    ) -> None:
        super().__init__()
        self.network = feature_network(model)
        self.normalize = normalize
        self.raw_input = raw_input
        self.flip = flip
        size = image_size or getattr(self.network.backbone, 'img_size', None)
        if size is None:
            raise ValueError(f'{type(self.network.backbone).__name__} needs image_size=(h, w)')
        self.image_size: tuple[int, int] = to_2tuple(size)
        if isinstance(self.network.backbone, PartViT):
            fix_positions(self.network.backbone, self.image_size)
        preprocessor: Any = model.data_preprocessor
        normalizes = getattr(preprocessor, '_enable_normalize', False)
        for name, default in (('mean', 0.0), ('std', 1.0)):
            values = getattr(preprocessor, name) if normalizes else torch.full((3, 1, 1), default)
            self.register_buffer(name, values.detach().clone().float())
        self.train(False)
        self.info = self._describe(config)

    def example(self, batch_size: int = 2) -> Tensor:
        """Return :meth:`ExportInfo.noise` on the device of the model.

        Args:
            batch_size (int): B. Defaults to 2: torch takes a 1 for a constant.
        """
        return self.info.noise(batch_size).to(self.mean.device)

    def forward(self, images: Tensor) -> Tensor:
        """Extract features.

        Args:
            images (Tensor): ``(B, 3, H, W)`` float32 RGB, see ``raw_input``.

        Returns:
            Tensor: ``(B, D)`` float32.
        """
        if self.raw_input:
            images = (images - self.mean) / self.std
        if self.flip:
            views = self.network(torch.cat((images, images.flip(-1))))
            features = F.normalize(views, dim=1).unflatten(0, (2, -1)).mean(0)
        else:
            features = self.network(images)
        return F.normalize(features, dim=1) if self.normalize else features

    @torch.no_grad()
    def _describe(self, config: str) -> ExportInfo:
        options: dict[str, Any] = dict(
            input_size=self.image_size,
            raw_input=self.raw_input,
            mean=_rounded(self.mean),
            std=_rounded(self.std),
            normalize=self.normalize,
            flip=self.flip,
        )
        zeros = self.mean.new_zeros(1, 3, *self.image_size)
        options['feature_dim'] = self(zeros).shape[1]
        return ExportInfo(config=config, fingerprint=fingerprint(self, options), **options)


def _rounded(values: Tensor) -> tuple[float, ...]:
    """Read float32 numbers as somebody wrote them."""
    return tuple(float(f'{value:.7g}') for value in values.flatten().tolist())

"""A model as a function from images to features, and what its file says about it."""

import hashlib
import json
from copy import deepcopy
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.utils import to_2tuple
from mmpretrain.models import ImageClassifier
from torch import Tensor, nn
from torch.nn import functional as F

from passreid.models import PASS, ClusterContrast, PartViT, ReIDHead
from passreid.models.layers import fuse_tokens, resize_table
from passreid.version import __version__


@dataclass(frozen=True)
class ExportInfo:
    """What an exported file says about itself."""

    config: str  # Name of the model's config, '' when not known.
    input_size: tuple[int, int]  # Height and width of the images in pixels.
    raw_input: bool  # The graph takes values in [0, 255]; else (image - mean) / std.
    mean: tuple[float, ...]  # Of the R, G, B channels in [0, 255].
    std: tuple[float, ...]
    normalize: bool  # Features have unit length.
    flip: bool  # Features are averaged over an image and its mirror image.
    feature_dim: int
    fingerprint: str  # Features of two files can be compared when theirs are the same.
    quantized: bool = False  # Weights are 8-bit integers.
    channel_order: str = 'RGB'
    passreid: str = __version__

    def to_json(self) -> str:
        """Return the text that is put into a file."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> 'ExportInfo':
        """Read what :meth:`to_json` wrote."""
        values = json.loads(text)
        values |= {name: tuple(values[name]) for name in ('input_size', 'mean', 'std')}
        return cls(**values)

    def prepare(self, images: Tensor) -> Tensor:
        """Make what the file takes of RGB images ``(B, 3, H, W)`` float32 in [0, 255]."""
        if self.raw_input:
            return images
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (self.mean, self.std))
        return (images - mean) / std

    def noise(self, batch_size: int) -> Tensor:
        """Draw ``(batch_size, 3, H, W)`` float32 as the file takes it, always the same."""
        generator = torch.Generator().manual_seed(0)
        return self.prepare(255 * torch.rand(batch_size, 3, *self.input_size, generator=generator))


class ExportableModel(nn.Module):
    """Normalisation, backbone and head: a copy, on the processor, of what test features need.

    Args:
        model (BaseModel): An ``ImageClassifier`` with :class:`ReIDHead`, :class:`ClusterContrast`
            or :class:`PASS`, whose teacher is taken. It is not changed.
        normalize (bool): Whether features have unit length. The test of :class:`ClusterContrast`
            compares them as its neck gives them, which is not the same after UDA. Defaults to True.
        raw_input (bool): Whether images are RGB values in [0, 255] and normalised here; else they
            are normalised already. Defaults to True.
        flip (bool): Whether to average the unit features of an image and its mirror image, as
            ``tools/test.py --tta flip``. Takes twice as long. Defaults to False.
        image_size (tuple[int, int], optional): Height and width of the images in pixels. Defaults
            to that of the backbone, and is needed when it has none.
        config (str): Name of the model's config, for :attr:`info`. Defaults to ''.

    Raises:
        TypeError: When the model is of another kind.
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
        self.backbone, self.neck, self.head = deepcopy(_parts(model))
        if isinstance(self.head, ReIDHead):
            self.head.classifier = None
        usual_size = getattr(self.backbone, 'img_size', None)
        if not image_size and not usual_size:
            raise ValueError(f'{type(self.backbone).__name__} needs image_size=(h, w)')
        size = to_2tuple(image_size or usual_size)
        options: dict[str, Any] = dict(raw_input=raw_input, normalize=normalize, flip=flip)
        for name, default in (('mean', 0.0), ('std', 1.0)):
            values: Any = getattr(model.data_preprocessor, name, torch.full((3, 1, 1), default))
            self.register_buffer(name, values.clone())
            # Float32 numbers as somebody wrote them.
            options[name] = tuple(float(f'{value:.7g}') for value in values.flatten().tolist())
        self.train(False).cpu().float().requires_grad_(False)
        if isinstance(self.backbone, PartViT):
            _fix_positions(self.backbone, size)
        options['feature_dim'] = self._features(torch.zeros(1, 3, *size)).shape[1]
        digest = hashlib.sha256(repr((size, options)).encode())
        for name, tensor in self.state_dict().items():
            digest.update(f'{name} {tuple(tensor.shape)}'.encode() + tensor.numpy().tobytes())
        self.info = ExportInfo(config, size, fingerprint=digest.hexdigest()[:16], **options)

    def forward(self, images: Tensor) -> Tensor:
        """Extract features ``(B, D)`` float32 of images ``(B, 3, H, W)`` float32 RGB."""
        if self.info.raw_input:
            images = (images - self.mean) / self.std
        if self.info.flip:
            views = self._features(torch.cat((images, images.flip(-1))))
            features = F.normalize(views, dim=1).unflatten(0, (2, -1)).mean(0)
        else:
            features = self._features(images)
        return F.normalize(features, dim=1) if self.info.normalize else features

    def _features(self, images: Tensor) -> Tensor:
        outs = self.neck(self.backbone(images))
        return self.head.features(outs) if isinstance(self.head, ReIDHead) else self.head(outs[-1])


def _parts(model: BaseModel) -> tuple[Any, Any, Any]:
    """Return backbone, neck and head of a model, as far as its features need them."""
    if isinstance(model, PASS):
        return model.teacher['backbone'], nn.Identity(), partial(fuse_tokens, fusion='cat')
    if isinstance(model, ClusterContrast):
        return model.backbone, nn.Identity(), model.neck
    if isinstance(model, ImageClassifier) and isinstance(model.head, ReIDHead):
        return model.backbone, model.neck if model.with_neck else nn.Identity(), model.head
    raise TypeError(
        f'{type(model).__name__} cannot be exported: it has to be an ImageClassifier with '
        'ReIDHead, a ClusterContrast or a PASS'
    )


def _fix_positions(backbone: PartViT, image_size: tuple[int, int]) -> None:
    """Resize the position table for images of one size, so that the graph need not do it."""
    _, grid = backbone.patch_embed(torch.zeros(1, 3, *image_size))
    mode, offset = backbone.interpolate_mode, backbone.interpolate_offset
    table = resize_table(backbone.pos_embed, backbone.patch_resolution, grid, mode, offset)
    backbone.pos_embed = nn.Parameter(table.clone(), requires_grad=False)
    backbone.patch_resolution, backbone.img_size = tuple(grid), image_size
    backbone.interpolate_offset = 0.0

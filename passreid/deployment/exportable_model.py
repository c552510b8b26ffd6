"""A model as a function from images to features, and what its file says about it."""

import hashlib
import json
from copy import deepcopy
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from mmengine.model import BaseModel
from mmengine.utils import to_2tuple
from mmpretrain.models import ImageClassifier
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from passreid.models import PASS, ClusterContrast, PartViT, ReIDHead
from passreid.models.layers import fuse_tokens, resize_table
from passreid.version import __version__

# What the pixels of the images that a file takes can be: RGB or BGR of uint8; floats of RGB / 255,
# of RGB normalised with ImageNet's mean and deviation, or with those of the model.
INPUTS = ('uint8', 'bgr', 'unit', 'imagenet', 'normalized')
# Red, green and blue of ImageNet in [0, 255], with which BoxMOT normalises.
_IMAGENET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))


@dataclass(frozen=True)
class ExportInfo:
    """What an exported file says about itself."""

    config: str  # Name of the model's config, '' when not known.
    input: str  # What a pixel is, one of `INPUTS`.
    layout: str  # Of a batch of images, 'NCHW' or 'NHWC'.
    input_size: tuple[int, int]  # Height and width of the images in pixels.
    margin: tuple[float, float]  # Shares of height and width around the person, cut off.
    mean: tuple[float, ...]  # Of the R, G, B channels in [0, 255].
    std: tuple[float, ...]
    normalize: bool  # Features have unit length.
    flip: bool  # Features are averaged over an image and its mirror image.
    feature_dim: int
    fingerprint: str  # Features of two files can be compared when theirs are the same.
    license: str = ''  # Of the weights, '' when not known.
    quantized: bool = False  # Weights are 8-bit integers.
    passreid: str = __version__

    def to_json(self) -> str:
        """Return the text that is put into a file."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> 'ExportInfo':
        """Read what :meth:`to_json` wrote."""
        values = json.loads(text)
        values |= {name: tuple(values[name]) for name in ('input_size', 'margin', 'mean', 'std')}
        return cls(**values)

    @property
    def input_scale(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation by which the pixels have been normalised, in [0, 255]."""
        scales = {
            'unit': ((0.0,) * 3, (255.0,) * 3),
            'imagenet': _IMAGENET,
            'normalized': (self.mean, self.std),
        }
        return scales.get(self.input, ((0.0,) * 3, (1.0,) * 3))

    def prepare(self, images: Tensor) -> Tensor:
        """Make what the file takes of RGB images ``(B, 3, H, W)`` float32 in [0, 255]."""
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in self.input_scale)
        images = (images - mean) / std
        if self.input == 'bgr':
            images = images.flip(1)
        if self.input in ('uint8', 'bgr'):
            images = images.round().byte()
        return images.permute(0, 2, 3, 1).contiguous() if self.layout == 'NHWC' else images

    def noise(self, batch_size: int) -> Tensor:
        """Draw ``batch_size`` images as the file takes them, always the same."""
        generator = torch.Generator().manual_seed(0)
        return self.prepare(255 * torch.rand(batch_size, 3, *self.input_size, generator=generator))


class ExportableModel(nn.Module):
    """Normalisation, backbone and head: a copy, on the processor, of what test features need.

    Args:
        model (BaseModel): An ``ImageClassifier`` with :class:`ReIDHead`, :class:`ClusterContrast`
            or :class:`PASS`, whose teacher is taken. It is not changed.
        normalize (bool): Whether features have unit length. The test of :class:`ClusterContrast`
            compares them as its neck gives them, which is not the same after UDA. Defaults to True.
        input (str): What a pixel is: ``'uint8'`` (RGB) and ``'bgr'`` of dtype uint8, ``'unit'``
            (RGB in [0, 1]), ``'imagenet'`` (RGB normalised with ImageNet's mean and deviation) or
            ``'normalized'`` (with the model's) of float32. Defaults to 'uint8'.
        layout (str): ``'NCHW'`` or ``'NHWC'``. Defaults to 'NCHW'.
        flip (bool): Whether to average the unit features of an image and its mirror image, as
            ``tools/test.py --tta flip``. Takes twice as long. Defaults to False.
        image_size (tuple[int, int], optional): Height and width of the images of the model in
            pixels. Defaults to that of the backbone, and is needed when it has none.
        input_size (tuple[int, int], optional): Height and width of the images that are given; they
            are resized to ``image_size``. Defaults to that.
        margin (tuple[float, float]): Shares of height and width of the given images that lie
            around the person, on both sides together, and are cut off. Defaults to none.
        config (str): Name of the model's config, for :attr:`info`. Defaults to ''.
        license (str): Licence of the weights, for :attr:`info`. Defaults to ''.

    Raises:
        TypeError: When the model is of another kind.
        ValueError: When ``input`` or ``layout`` are of another kind, or sizes leave no pixel.
    """

    scale: Tensor
    shift: Tensor
    rows: Tensor
    columns: Tensor

    def __init__(
        self,
        model: BaseModel,
        *,
        normalize: bool = True,
        input: str = 'uint8',
        layout: str = 'NCHW',
        flip: bool = False,
        image_size: tuple[int, int] | None = None,
        input_size: tuple[int, int] | None = None,
        margin: tuple[float, float] = (0.0, 0.0),
        config: str = '',
        license: str = '',
    ) -> None:
        super().__init__()
        if input not in INPUTS or layout not in ('NCHW', 'NHWC'):
            raise ValueError(f'input={input!r} is none of {INPUTS}, or {layout=} not NCHW or NHWC')
        self.backbone, self.neck, self.head = deepcopy(_parts(model))
        if isinstance(self.head, ReIDHead):
            self.head.classifier = None
        usual_size = getattr(self.backbone, 'img_size', None)
        if not image_size and not usual_size:
            raise ValueError(f'{type(self.backbone).__name__} needs image_size=(h, w)')
        size = to_2tuple(image_size or usual_size)
        given = to_2tuple(size if input_size is None else input_size)
        if min(given) < 1 or not all(0 <= share < 1 for share in margin):
            raise ValueError(f'{input_size=} with {margin=} leaves nothing of an image')
        options: dict[str, Any] = dict(normalize=normalize, flip=flip)
        for name, default in (('mean', 0.0), ('std', 1.0)):
            values: Any = getattr(model.data_preprocessor, name, torch.full((3, 1, 1), default))
            # Float32 numbers as somebody wrote them.
            options[name] = tuple(float(f'{value:.7g}') for value in values.flatten().tolist())
        self.train(False).cpu().float().requires_grad_(False)
        if isinstance(self.backbone, PartViT):
            _fix_positions(self.backbone, size)
        options['feature_dim'] = self._features(torch.zeros(1, 3, *size)).shape[1]
        digest = hashlib.sha256(repr((size, given, margin, options)).encode())
        for name, tensor in self.state_dict().items():
            digest.update(f'{name} {tuple(tensor.shape)}'.encode() + tensor.numpy().tobytes())
        self.info = ExportInfo(
            config=config,
            input=input,
            layout=layout,
            input_size=given,
            margin=margin,
            fingerprint=digest.hexdigest()[:16],
            license=license,
            **options,
        )
        # From what is given to what the model takes: pixels, then rows and columns.
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in self.info.input_scale)
        own_mean, own_std = (torch.tensor(options[v]).view(3, 1, 1) for v in ('mean', 'std'))
        self.register_buffer('scale', std / own_std)
        self.register_buffer('shift', (mean - own_mean) / own_std)
        self.resized = given != size or any(margin)
        if self.resized:
            for name, *sides in zip(('rows', 'columns'), given, size, margin, strict=True):
                self.register_buffer(name, _resize_matrix(*sides))

    def forward(self, images: Tensor) -> Tensor:
        """Extract features ``(B, D)`` float32 of a batch of images as :attr:`info` says."""
        if self.info.layout == 'NHWC':
            images = images.permute(0, 3, 1, 2)
        if self.info.input == 'bgr':
            images = images.flip(1)
        images = images.float() * self.scale + self.shift
        if self.resized:
            images = self.rows @ images @ self.columns.T
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


def _resize_matrix(given: int, wanted: int, margin: float) -> Tensor:
    """Return ``(wanted, given)``: pixels of a side, resized bilinearly without the margin."""
    cut = given * margin / 2
    eye = Image.fromarray(np.eye(given, dtype=np.float32))
    box = (0, cut, given, given - cut)
    return torch.from_numpy(np.array(eye.resize((given, wanted), Image.Resampling.BILINEAR, box)))

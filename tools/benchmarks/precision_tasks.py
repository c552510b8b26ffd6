"""What training and tests compute on a batch, with the precision of a number type."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmpretrain.structures import DataSample
from torch import Tensor
from torch.nn import functional as F

from passreid.registry import MODELS
from passreid.utils import register_all_modules

CONFIGS = Path(__file__).parents[2] / 'configs'
RECIPES = {
    'pre-training': 'pass/pass_vit-s16_lup.py',
    'fine-tuning': 'supervised/vit-s16_market1501-256x128.py',
    'USL': 'usl/usl_vit-s16_market1501-256x128.py',
}
# That of torch's GradScaler at its start, which halves it after each step that overflows.
LOSS_SCALE = 2.0**16


@dataclass(frozen=True)
class Setting:
    """What is computed.

    Attributes:
        device (str): Such as ``'cpu'`` or ``'cuda'``.
        arch (str): Architecture of the backbone, as in mmpretrain.
        height (int): Of the images in pixels; they are half as wide.
        people (int): How many persons there are, with four images each.
        prototypes (int): Of each token in pre-training.
    """

    device: str
    arch: str
    height: int
    people: int
    prototypes: int


@dataclass(frozen=True)
class Outcome:
    """What came out.

    Attributes:
        losses (dict[str, float]): By name.
        gradients (dict[str, Tensor]): By parameter, of the sum of the losses.
        features (Tensor): Of the test, ``(images, D)``.
        states (dict[str, Tensor]): Centres, teacher or memory after the step.
        depth (int): Layers of the backbone.
    """

    losses: dict[str, float]
    gradients: dict[str, Tensor]
    features: Tensor
    states: dict[str, Tensor]
    depth: int


def draw_people(setting: Setting) -> tuple[Tensor, Tensor]:
    """Draw noisy pictures of persons in four colours each.

    Returns:
        tuple[Tensor, Tensor]: Normalised images ``(N, 3, H, W)`` and who they show ``(N,)``.
    """
    generator = torch.Generator().manual_seed(0)
    looks = torch.rand(setting.people, 3, 4, 1, generator=generator).repeat_interleave(4, 0)
    coarse = looks + 0.2 * torch.randn(len(looks), 3, 4, 2, generator=generator)
    size = (setting.height, setting.height // 2)
    images = 2 * F.interpolate(coarse, size, mode='bilinear') - 1
    return images.to(setting.device), torch.arange(len(looks), device=setting.device) // 4


def build_model(task: str, setting: Setting) -> Any:
    """Build the model of a recipe, the same at each call and without stochastic depth."""
    MMLogger.get_current_instance().setLevel('WARNING')
    register_all_modules()
    torch.manual_seed(0)
    model = Config.fromfile(CONFIGS / RECIPES[task]).model
    model.pop('data_preprocessor')
    size = (setting.height, setting.height // 2)
    model.backbone.update(arch=setting.arch, img_size=size, drop_path_rate=0.0, init_cfg=None)
    if task == 'pre-training':
        model.neck.out_channels = setting.prototypes
    else:
        width = MODELS.build(model.backbone).embed_dims
        (model.head if task == 'fine-tuning' else model.neck).in_channels = width
    if task == 'fine-tuning':
        model.head.num_classes = setting.people
    built = MODELS.build(model)
    built.init_weights()
    return built.train().to(setting.device)


def compute(task: str, setting: Setting, dtype: torch.dtype) -> Outcome:
    """Make a step without the optimiser's, and a test.

    Args:
        task (str): One of :data:`RECIPES`.
        setting (Setting): What is computed.
        dtype (torch.dtype): float32, or what autocast computes with; float16 with loss scaling.
    """
    scale = LOSS_SCALE if dtype == torch.float16 else 1.0
    outcome = _compute(task, setting, dtype, scale)
    while scale > 1 and not all(value.isfinite().all() for value in outcome.gradients.values()):
        scale /= 2
        outcome = _compute(task, setting, dtype, scale)
    return outcome


def _compute(task: str, setting: Setting, dtype: torch.dtype, scale: float) -> Outcome:
    model = build_model(task, setting)
    images, labels = draw_people(setting)
    prepare = {'pre-training': _views, 'fine-tuning': _people, 'USL': _clusters}[task]
    loss: Callable = prepare(model, images, labels)
    with _precision(setting, dtype):
        losses = loss()
    summands = {name: value for name, value in losses.items() if 'loss' in name}
    (scale * sum(summands.values())).backward()
    if task == 'pre-training':
        model.update_teacher(0.9)
    states = {name: value for name, value in model.named_buffers() if value.is_floating_point()}
    model.eval()
    with _precision(setting, dtype), torch.no_grad():
        samples = model(images, mode='predict')
    named = [(name, value) for name, value in model.named_parameters() if value.grad is not None]
    return Outcome(
        losses={name: float(value) for name, value in summands.items()},
        gradients={name: value.grad / scale for name, value in named},
        features=torch.stack([sample.feature for sample in samples]),
        states=states | {f'parameter {name}': value for name, value in model.named_parameters()},
        depth=len(model.backbone.layers),
    )


def _precision(setting: Setting, dtype: torch.dtype) -> Any:
    return nullcontext() if dtype == torch.float32 else torch.autocast(setting.device, dtype)


def _views(model: Any, images: Tensor, labels: Tensor) -> Callable:
    """Two global views, the images and their mirror images, and a local one of each part."""
    height = images.shape[2] // 2
    tops = [0, height // 2, height]
    local = torch.cat([images[:, :, top : top + height, : height // 2] for top in tops])
    inputs = {'global_views': torch.cat((images, images.flip(3))), 'local_views': local}
    return lambda: model.loss(inputs)


def _people(model: Any, images: Tensor, labels: Tensor) -> Callable:
    samples = [DataSample().set_gt_label(label) for label in labels.cpu()]
    return lambda: model.loss(images, samples)


def _clusters(model: Any, images: Tensor, labels: Tensor) -> Callable:
    """Clusters of four images, whose centres are drawn."""
    samples = [DataSample(metainfo={'sample_idx': index}) for index in range(len(images))]
    generator = torch.Generator().manual_seed(1)
    centres = torch.randn(int(labels.max()) + 1, model.neck.out_channels, generator=generator)
    model.set_pseudo_labels(labels, centres.to(images.device))
    return lambda: model.loss(images, samples)

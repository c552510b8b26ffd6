"""One training step of PASS, ours and the plain one, ready to be timed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from plain_pass import PlainPASS
from torch import Tensor

from passreid.models import PASS
from passreid.registry import MODELS
from passreid.utils import register_all_modules

CONFIG = Path(__file__).parents[2] / 'configs' / 'pass' / 'pass_vit-s16_lup.py'
MOMENTUM = 0.996
LOCAL_VIEWS = 9


@dataclass(frozen=True)
class Setting:
    """What is trained, and how.

    Args:
        device (str): Such as ``'cpu'`` or ``'cuda'``.
        dtype (str): ``'float32'``, or ``'bfloat16'`` for autocast with that type.
        batch (int): Images of a step.
        arch (str): Architecture of the backbone, as in mmpretrain.
        prototypes (int): Number of prototypes of each token.
        drop_path (float): Stochastic depth of the student.
    """

    device: str
    dtype: str
    batch: int
    arch: str = 'deit-small'
    prototypes: int = 65536
    drop_path: float = 0.1

    def config(self) -> Config:
        """Config of the published recipe, changed accordingly."""
        config = Config.fromfile(CONFIG)
        config.model.backbone.update(arch=self.arch, drop_path_rate=self.drop_path)
        config.model.neck.out_channels = self.prototypes
        config.model.pop('data_preprocessor')
        config.optim_wrapper.amp = None if self.dtype == 'float32' else self.dtype
        return config

    def model(self) -> PASS:
        """Build the model, the same at each call."""
        MMLogger.get_current_instance().setLevel('WARNING')
        register_all_modules()
        torch.manual_seed(0)
        model = MODELS.build(self.config().model)
        model.init_weights()
        return model.train().to(self.device)

    def views(self) -> dict[str, Tensor]:
        """Draw augmented views of the published sizes."""
        generator = torch.Generator().manual_seed(0)
        sizes = {'global_views': (2, 256, 128), 'local_views': (LOCAL_VIEWS, 128, 64)}
        return {
            name: torch.randn(n * self.batch, 3, h, w, generator=generator).to(self.device)
            for name, (n, h, w) in sizes.items()
        }

    def tokens(self, model: PASS) -> tuple[list[Tensor], list[Tensor]]:
        """Draw tokens as the student and the teacher give them, the student's with gradients."""
        num_parts, width = model.backbone.num_parts, model.backbone.embed_dims
        views = [2 + LOCAL_VIEWS] + [2 + LOCAL_VIEWS // num_parts] * num_parts
        shapes = [(n * self.batch, width) for n in views]
        student = [torch.randn(s, device=self.device, requires_grad=True) for s in shapes]
        teacher = [torch.randn(2 * self.batch, width, device=self.device) for _ in shapes]
        return student, teacher


def build_step(setting: Setting, side: str, part: str) -> Callable[[], None]:
    """Make a step of one side ready.

    Args:
        setting (Setting): What is trained.
        side (str): ``'ours'`` or ``'plain'``.
        part (str): ``'step'``: the whole training step. ``'head'``: head and loss with their
            gradients, clipping of all gradients and movement of the whole teacher.

    Returns:
        Callable: Runs the step and waits for its end.
    """
    model = setting.model()
    run = {'ours': _our_step, 'plain': _plain_step}[side](setting, model, part)

    def wait() -> None:
        run()
        if setting.device != 'cpu':
            torch.accelerator.synchronize()

    return wait


def _our_step(setting: Setting, model: PASS, part: str) -> Callable[[], None]:
    optimizer = build_optim_wrapper(model, setting.config().optim_wrapper)
    student, teacher = setting.tokens(model)
    views = setting.views()
    if part == 'head':
        model._student_tokens = lambda *_: student
        model._teacher_tokens = lambda *_: teacher
        _fill_gradients(model.backbone)

    def step() -> None:
        with optimizer.optim_context(model):
            losses = model(views, mode='loss')
        loss, _ = model.parse_losses(losses)
        if part == 'step':
            optimizer.update_params(loss)
        else:
            _forget_gradients([*model.neck.parameters(), *student])
            loss.backward()
            optimizer._clip_grad()
        model.update_teacher(MOMENTUM)

    return step


def _plain_step(setting: Setting, model: PASS, part: str) -> Callable[[], None]:
    student, teacher = setting.tokens(model)
    views = setting.views()
    plain = PlainPASS(model).to(setting.device)
    del model
    weights, vectors = [], []
    for parameter in plain.student.parameters():
        (weights if parameter.ndim > 1 else vectors).append(parameter)
    groups = [{'params': weights}, {'params': vectors, 'weight_decay': 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=5e-4, weight_decay=0.04)
    device = torch.device(setting.device).type
    if part == 'head':
        _fill_gradients(plain.student['backbone'])

    def step() -> None:
        with torch.autocast(device, torch.bfloat16, setting.dtype != 'float32'):
            loss = plain.loss(**views) if part == 'step' else plain.head_loss(student, teacher)
        if part == 'step':
            optimizer.zero_grad()
        else:
            _forget_gradients([*plain.student['neck'].parameters(), *student])
        loss.backward()
        plain.clip_gradients()
        if part == 'step':
            optimizer.step()
        plain.update_teacher(MOMENTUM)

    return step


def _fill_gradients(module: torch.nn.Module) -> None:
    for parameter in module.parameters():
        parameter.grad = torch.randn_like(parameter)


def _forget_gradients(tensors: list[Tensor]) -> None:
    for tensor in tensors:
        tensor.grad = None

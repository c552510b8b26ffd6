"""Compare a training step of PASS with a plain composition of the same algorithm.

One process, the same weights and the same views. The plain composition makes one forward pass for
each area, the scores of all views and tokens, one term of the loss after the other, and loops over
the parameters for clipping and for the teacher. First it is checked that both give the same loss
and gradients. Peak memory is measured in a process for each figure.

Example:
    python tools/benchmarks/benchmark_pretrain.py --device cuda
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import measure
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
PARTS = {'step': 'whole step', 'head': 'head, loss, clipping, teacher'}
CHECKED_BATCH = 2
TOLERANCE = 1e-3
MOMENTUM = 0.996
LOCAL_VIEWS = 9


@dataclass(frozen=True)
class Setting:
    """What is trained, and how."""

    device: str
    dtype: str  # 'float32', or 'bfloat16' for autocast with that type.
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
        setting (Setting): What is model.
        side (str): ``'ours'`` or ``'plain'``.
        part (str): ``'step'``: the whole training step. ``'head'``: head and loss with their
            gradients, clipping of all gradients and movement of the whole teacher.

    Returns:
        Callable: Runs the step and waits for its end.
    """
    model, views = setting.model(), setting.views()
    student, teacher = setting.tokens(model)
    if side == 'plain':
        model = PlainPASS(model).to(setting.device)
        optimizer = model.build_optimizer()
        backbone, neck = model.student['backbone'], model.student['neck']
    else:
        optimizer = build_optim_wrapper(model, setting.config().optim_wrapper)
        backbone, neck = model.backbone, model.neck
        if part == 'head':
            model._student_tokens = lambda *_: student
            model._teacher_tokens = lambda *_: teacher
    if part == 'head':
        for parameter in backbone.parameters():
            parameter.grad = torch.randn_like(parameter)

    def our_loss() -> Tensor:
        with optimizer.optim_context(model):
            losses = model(views, mode='loss')
        return model.parse_losses(losses)[0]

    def plain_loss() -> Tensor:
        device = torch.device(setting.device).type
        with torch.autocast(device, torch.bfloat16, setting.dtype != 'float32'):
            if part == 'head':
                return model.head_loss(student, teacher)
            return model.loss(**views)

    compute = our_loss if side == 'ours' else plain_loss
    clip = optimizer._clip_grad if side == 'ours' else model.clip_gradients

    def step() -> None:
        loss = compute()
        if part == 'head':
            for tensor in [*neck.parameters(), *student]:
                tensor.grad = None
            loss.backward()
            clip()
        elif side == 'ours':
            optimizer.update_params(loss)
        else:
            optimizer.zero_grad()
            loss.backward()
            clip()
            optimizer.step()
        model.update_teacher(MOMENTUM)
        if setting.device != 'cpu':
            torch.accelerator.synchronize()

    return step


def check_equality(setting: Setting) -> None:
    """Compare loss and gradients of both sides in float32 without stochastic depth."""
    setting = replace(setting, dtype='float32', batch=CHECKED_BATCH, drop_path=0.0)
    model, views = setting.model(), setting.views()
    plain = PlainPASS(model).to(setting.device)
    expected = plain.loss(**views)
    expected.backward()
    loss, _ = model.parse_losses(model(views, mode='loss'))
    loss.backward()
    measure.check_agreement('loss', ((loss - expected).abs() / expected).item(), TOLERANCE)
    ours = [*model.backbone.parameters(), *model.neck.parameters()]
    difference = max(
        ((mine.grad - its.grad).norm() / its.grad.norm()).item()
        for mine, its in zip(ours, plain.student.parameters(), strict=True)
    )
    measure.check_agreement('gradients', difference, TOLERANCE)


def compare(setting: Setting, part: str, rounds: int) -> None:
    """Print peak memory, of the whole step that of everything, and times of both sides."""
    title, on_cpu = PARTS[part], setting.device == 'cpu'
    sides = {side: (setting, side, part) for side in measure.SIDES}
    measure.print_peaks(title, build_step, sides, setting.device, whole=part == 'step')
    # On a CPU that has it, ours is also timed with bfloat16.
    capabilities = torch.cpu.get_capabilities() if on_cpu else {}
    fast = any(capabilities.get(name) for name in ('avx512_bf16', 'amx_bf16'))
    if fast and setting.dtype == 'float32':
        sides['ours in bfloat16'] = (replace(setting, dtype='bfloat16'), 'ours', part)
    steps = {name: build_step(*args) for name, args in sides.items()}
    for step in steps.values():
        step()
    times = {name: 1e3 * taken for name, taken in measure.best_seconds(steps, rounds).items()}
    measure.print_row(f'{title}, ms', {side: times[side] for side in measure.SIDES}, '.1f')
    if half := times.get('ours in bfloat16'):
        measure.print_row(f'{title}, bfloat16, ms', {'plain': times['plain'], 'ours': half}, '.1f')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = measure.make_parser(__doc__)
    option = parser.add_argument
    option('--device', default='cpu', help='cpu (default) or cuda')
    option(
        '--dtype',
        choices=('float32', 'bfloat16'),
        help='of both sides (default: float32 on a CPU, where ours is also timed with bfloat16 if '
        'the processor has it; bfloat16 elsewhere)',
    )
    option('--batch', type=int, help='images (default: 4 on a CPU, else 128)')
    option('--arch', default='deit-small', help='of the backbone, as in mmpretrain')
    option('--prototypes', type=int, default=65536, help='of each token')
    text = 'rounds; the best of each counts (default: 4 on a CPU, else 30)'
    option('--iters', type=int, help=text)
    args = parser.parse_args()
    on_cpu = args.device == 'cpu'
    args.dtype = args.dtype or ('float32' if on_cpu else 'bfloat16')
    args.batch = args.batch or (4 if on_cpu else 128)
    args.iters = args.iters or (4 if on_cpu else 30)
    return args


def main() -> None:
    """Check, time both and print times, memory and their ratios."""
    args = parse_args()
    setting = Setting(args.device, args.dtype, args.batch, args.arch, args.prototypes)
    check_equality(setting)
    measure.print_head(f'{setting}, views of 256x128')
    for part in PARTS:
        compare(setting, part, args.iters)


if __name__ == '__main__':
    main()

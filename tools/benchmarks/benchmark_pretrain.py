"""Compare a training step of PASS with a plain composition of the same algorithm.

The plain composition makes one forward pass for each area, the scores of all views and tokens, one
term of the loss after the other, and loops over the parameters. With the same weights and views
both must give the same loss and gradients. On a CPU that has it, ours is also timed with bfloat16.
Last, a step of PASS (left) is compared with one of PASS with masked patches (right).
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import measure
import numpy as np
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from plain_pass import PlainPASS
from torch import Tensor

from passreid.datasets.transforms import MaskPatches
from passreid.models import PASS

CONFIG = 'pass/pass_vit-s16_lup.py'
MASKED_CONFIG = 'pass/pass-mim_vit-s16_lup.py'
PARTS = {'step': 'whole step', 'head': 'head, loss, clipping, teacher'}
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

    def model(self, config: str = CONFIG) -> PASS:
        """Build the model of the published recipe, changed accordingly, the same at each call."""
        backbone = dict(arch=self.arch, drop_path_rate=self.drop_path)
        options = {'backbone': backbone, 'neck.out_channels': self.prototypes}
        return measure.build_model(config, self.device, options)

    def views(self) -> dict[str, Tensor]:
        """Draw augmented views of the published sizes."""
        generator = torch.Generator().manual_seed(0)
        sizes = {'global_views': (2, 256, 128), 'local_views': (LOCAL_VIEWS, 128, 64)}
        return {
            name: torch.randn(n * self.batch, 3, h, w, generator=generator).to(self.device)
            for name, (n, h, w) in sizes.items()
        }

    def masks(self) -> Tensor:
        """Draw masks of patches of the global views, with the published ratios."""
        random.seed(0)
        results = {'views': {'global_views': np.empty((2 * self.batch, 256, 128, 0))}}
        return torch.from_numpy(MaskPatches()(results)['views']['masks'])

    def tokens(self, model: PASS) -> tuple[list[Tensor], list[Tensor]]:
        """Draw tokens as the student and the teacher give them, the student's with gradients."""
        num_parts, width = model.backbone.num_parts, model.backbone.embed_dims
        views = [2 + LOCAL_VIEWS] + [2 + LOCAL_VIEWS // num_parts] * num_parts
        shapes = [(n * self.batch, width) for n in views]
        student = [torch.randn(s, device=self.device, requires_grad=True) for s in shapes]
        teacher = [torch.randn(2 * self.batch, width, device=self.device) for _ in shapes]
        return student, teacher


def build_step(setting: Setting, side: str, part: str) -> Callable[[], None]:
    """Make a whole training step of a side ready, or of the 'head' what follows the backbones.

    The sides are 'plain', 'ours' and, of whole steps, 'masked'.
    """
    model, views = setting.model(MASKED_CONFIG if side == 'masked' else CONFIG), setting.views()
    if side == 'masked':
        views['masks'] = setting.masks()
    student, teacher = setting.tokens(model)
    half = setting.dtype != 'float32'
    if side == 'plain':
        model = PlainPASS(model).to(setting.device)
        optimizer, clip = model.build_optimizer(), model.clip_gradients
        backbone, neck = model.student['backbone'], model.student['neck']
    else:
        settings = Config.fromfile(measure.CONFIGS / CONFIG).optim_wrapper
        settings.amp = setting.dtype if half else None
        optimizer = build_optim_wrapper(model, settings)
        backbone, neck, clip = model.backbone, model.neck, optimizer._clip_grad
    for parameter in backbone.parameters() if part == 'head' else ():
        parameter.grad = torch.randn_like(parameter)

    def compute() -> Tensor:
        if side != 'plain':
            with optimizer.optim_context(model):
                head = part == 'head'
                losses = model.token_losses(student, teacher) if head else model(views, mode='loss')
                return model.parse_losses(losses)[0]
        with torch.autocast(torch.device(setting.device).type, torch.bfloat16, half):
            return model.head_loss(student, teacher) if part == 'head' else model.loss(**views)

    def step() -> None:
        loss = compute()
        if part == 'head':
            for tensor in [*neck.parameters(), *student]:
                tensor.grad = None
            loss.backward()
            clip()
        elif side != 'plain':
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
    setting = replace(setting, dtype='float32', batch=2, drop_path=0.0)
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
    capabilities = torch.cpu.get_capabilities() if on_cpu else {}
    fast = any(capabilities.get(name) for name in ('avx512_bf16', 'amx_bf16'))
    if fast and setting.dtype == 'float32':
        sides['ours in bfloat16'] = (replace(setting, dtype='bfloat16'), 'ours', part)
    times = best_milliseconds(sides, rounds)
    measure.print_row(f'{title}, ms', {side: times[side] for side in measure.SIDES}, '.1f')
    if half := times.get('ours in bfloat16'):
        measure.print_row(f'{title}, bfloat16, ms', {'plain': times['plain'], 'ours': half}, '.1f')


def compare_masked(setting: Setting, rounds: int) -> None:
    """Print peak memory and times of a whole step without and with masked patches."""
    title = 'PASS and with masks, whole step'
    sides = {'plain': (setting, 'ours', 'step'), 'ours': (setting, 'masked', 'step')}
    measure.print_peaks(title, build_step, sides, setting.device, whole=True)
    measure.print_row(f'{title}, ms', best_milliseconds(sides, rounds), '.1f', by_plain=True)


def best_milliseconds(sides: Mapping[str, tuple], rounds: int) -> dict[str, float]:
    """Time the steps of all sides in turn, each after a first one that does not count."""
    steps = {name: build_step(*args) for name, args in sides.items()}
    for step in steps.values():
        step()
    return {name: 1e3 * taken for name, taken in measure.best_seconds(steps, rounds).items()}


def main() -> None:
    """Check, time both and print times, memory and their ratios."""
    parser = measure.make_parser(__doc__)
    option = parser.add_argument
    option('--device', default='cpu', help='cpu (default) or cuda')
    option('--dtype', choices=('float32', 'bfloat16'), help='default: float32 on a CPU alone')
    option('--batch', type=int, help='images (default: 4 on a CPU, else 128)')
    option('--iters', type=int, help='the best of this many counts (default: 4 on a CPU, else 30)')
    args = parser.parse_args()
    dtype, batch, rounds = ('float32', 4, 4) if args.device == 'cpu' else ('bfloat16', 128, 30)
    setting = Setting(args.device, args.dtype or dtype, args.batch or batch)
    check_equality(setting)
    measure.print_head(f'{setting}, views of 256x128')
    for part in PARTS:
        compare(setting, part, args.iters or rounds)
    compare_masked(setting, args.iters or rounds)


if __name__ == '__main__':
    main()

"""Compare a training step of PASS with a plain composition of the same algorithm.

One process, the same weights and the same views. The plain composition makes one forward pass for
each area, the scores of all views and tokens, one term of the loss after the other, and loops over
the parameters for clipping and for the teacher. First it is checked that both give the same loss
and gradients. Peak memory is measured in a process for each figure.

Example:
    python tools/benchmarks/benchmark_pretrain.py --device cuda
"""

import argparse
from dataclasses import replace

import torch
from measure import best_seconds, peak_memory
from plain_pass import PlainPASS
from pretrain_steps import Setting, build_step

PARTS = {'step': 'whole step', 'head': 'head, loss, clipping, teacher'}
CHECKED_BATCH = 2
TOLERANCE = 1e-3


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--device', default='cpu', help='cpu (default) or cuda')
    parser.add_argument(
        '--dtype',
        choices=('float32', 'bfloat16'),
        help='of both sides (default: float32 on a CPU, where ours is also timed with bfloat16 if '
        'the processor has it; bfloat16 elsewhere)',
    )
    parser.add_argument('--batch', type=int, help='images (default: 4 on a CPU, else 128)')
    parser.add_argument('--arch', default='deit-small', help='of the backbone, as in mmpretrain')
    parser.add_argument('--prototypes', type=int, default=65536, help='of each token')
    parser.add_argument(
        '--iters', type=int, help='rounds; the best of each counts (default: 4 on a CPU, else 30)'
    )
    args = parser.parse_args()
    on_cpu = args.device == 'cpu'
    args.dtype = args.dtype or ('float32' if on_cpu else 'bfloat16')
    args.batch = args.batch or (4 if on_cpu else 128)
    args.iters = args.iters or (4 if on_cpu else 30)
    return args


def processor_has_bfloat16() -> bool:
    """Whether products of bfloat16 matrices are faster than those of float32 on this CPU."""
    capabilities = torch.cpu.get_capabilities()
    return capabilities.get('avx512_bf16', False) or capabilities.get('amx_bf16', False)


def check_equality(setting: Setting) -> tuple[float, float]:
    """Compare both sides in float32 without stochastic depth.

    Returns:
        tuple[float, float]: Relative difference of the loss, and the largest of the gradients'
        (norm of the difference of a parameter's gradients, by the norm of the gradient).

    Raises:
        RuntimeError: When they differ.
    """
    setting = replace(setting, dtype='float32', batch=CHECKED_BATCH, drop_path=0.0)
    model, views = setting.model(), setting.views()
    plain = PlainPASS(model).to(setting.device)
    expected = plain.loss(**views)
    expected.backward()
    loss, _ = model.parse_losses(model(views, mode='loss'))
    loss.backward()
    of_loss = ((loss - expected).abs() / expected).item()
    ours = [*model.backbone.parameters(), *model.neck.parameters()]
    of_gradients = max(
        ((mine.grad - its.grad).norm() / its.grad.norm()).item()
        for mine, its in zip(ours, plain.student.parameters(), strict=True)
    )
    if not max(of_loss, of_gradients) < TOLERANCE:
        raise RuntimeError(f'the sides differ: loss by {of_loss:.1e}, gradients {of_gradients:.1e}')
    return of_loss, of_gradients


def main() -> None:
    """Time both and print times, memory and their ratios."""
    args = parse_args()
    setting = Setting(args.device, args.dtype, args.batch, args.arch, args.prototypes)
    of_loss, of_gradients = check_equality(setting)
    print(
        f'same loss (relative difference {of_loss:.0e}) and gradients ({of_gradients:.0e}) in '
        'float32 from the same weights'
    )
    print(
        f'{args.device}, {torch.get_num_threads()} CPU threads, torch {torch.__version__}; '
        f'{args.arch}, 256x128, {args.prototypes} prototypes, batch {args.batch}, {args.dtype}'
    )
    print(f'{"":38}{"plain":>10}{"ours":>10}{"ratio":>8}')
    sides = {'plain': (setting, 'plain'), 'ours': (setting, 'ours')}
    if args.device == 'cpu' and args.dtype == 'float32' and processor_has_bfloat16():
        sides['ours, bfloat16'] = (replace(setting, dtype='bfloat16'), 'ours')
    for part, title in PARTS.items():
        compare_memory(setting, part, title)
        compare_times(sides, part, title, args.iters)


def compare_memory(setting: Setting, part: str, title: str) -> None:
    """Print the peak of both sides: of the whole step all memory, else what the part adds."""
    index = 0 if part == 'step' else 1
    plain, ours = (
        peak_memory(build_step, setting.device, setting, side, part)[index] / 2**20
        for side in ('plain', 'ours')
    )
    print(f'{title + ", peak MiB":38}{plain:10.0f}{ours:10.0f}{ours / plain:7.2f}x')


def compare_times(
    sides: dict[str, tuple[Setting, str]], part: str, title: str, rounds: int
) -> None:
    """Print the best times of all sides and how many times faster than plain they are."""
    steps = {name: build_step(setting, side, part) for name, (setting, side) in sides.items()}
    for step in steps.values():
        step()
    seconds = best_seconds(steps, rounds)
    plain = seconds.pop('plain')
    for name, taken in seconds.items():
        label = f'{title}, ms{name.removeprefix("ours")}'
        print(f'{label:38}{plain * 1e3:10.1f}{taken * 1e3:10.1f}{plain / taken:7.2f}x')


if __name__ == '__main__':
    main()

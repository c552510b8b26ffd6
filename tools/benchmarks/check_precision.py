"""Compare float16 and bfloat16 with float32: losses, gradients and features.

A step of pre-training, of fine-tuning and of USL is computed from the same weights and images in
float32 and under autocast. A type rounds by at most a relative u (2^-11 for float16, 2^-8 for
bfloat16). A layer of a ViT rounds about 8 times on its way forth and as often back, independently,
so that all may differ by u sqrt(16 L), relative, for L layers; else the exit status is 1.
"""

import argparse
import re
import sys
from math import sqrt
from typing import Any

import torch
from measure import build_model, make_parser
from mmpretrain.structures import DataSample
from torch import Tensor
from torch.nn import functional as F

from passreid.models import PartViT
from passreid.visualization import Table

RECIPES = {
    'pre-training': 'pass/pass_vit-s16_lup.py',
    'fine-tuning': 'supervised/vit-s16_market1501-256x128.py',
    'USL': 'usl/usl_vit-s16_market1501-256x128.py',
}
DTYPES = {'float16': torch.float16, 'bfloat16': torch.bfloat16}
ON_CPU = dict(dtypes=['bfloat16'], arch='deit-tiny', height=128, people=4, prototypes=4096)
ON_GPU = dict(dtypes=list(DTYPES), arch='deit-small', height=256, people=16, prototypes=65536)
LOSS_SCALE = 2.0**16


def draw_people(args: argparse.Namespace) -> tuple[Tensor, Tensor]:
    """Draw noisy pictures of persons in four colors each: images (N, 3, H, W) and ids (N,)."""
    generator = torch.Generator().manual_seed(0)
    looks = torch.rand(args.people, 3, 4, 1, generator=generator).repeat_interleave(4, 0)
    coarse = looks + 0.2 * torch.randn(len(looks), 3, 4, 2, generator=generator)
    images = 2 * F.interpolate(coarse, (args.height, args.height // 2), mode='bilinear') - 1
    return images.to(args.device), torch.arange(len(looks), device=args.device) // 4


def compute_loss(task: str, model: Any, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Return the losses of a batch."""
    if task == 'pre-training':
        # The images and their mirror images, and a local view of each part.
        height = images.shape[2] // 2
        tops = [0, height // 2, height]
        local = torch.cat([images[:, :, top : top + height, : height // 2] for top in tops])
        views = {'global_views': torch.cat((images, images.flip(3))), 'local_views': local}
        return model.loss(views)
    if task == 'USL':
        generator = torch.Generator().manual_seed(1)
        centers = torch.randn(int(labels.max()) + 1, model.neck.out_channels, generator=generator)
        model.set_pseudo_labels(labels, centers.to(images.device))
    samples = [
        DataSample(metainfo={'sample_idx': index}).set_gt_label(label)
        for index, label in enumerate(labels.cpu())
    ]
    return model.loss(images, samples)


def compute(
    task: str, args: argparse.Namespace, dtype: torch.dtype, scale: float = 1.0
) -> dict[str, Tensor]:
    """Return losses, gradients by parts of the network, and features, as autocast has them."""
    width = PartViT.arch_zoo[args.arch]['embed_dims']
    options = {
        'pre-training': {'neck.out_channels': args.prototypes},
        'fine-tuning': {'head.in_channels': width, 'head.num_classes': args.people},
        'USL': {'neck.in_channels': width},
    }[task]
    size = args.height, args.height // 2
    backbone = dict(arch=args.arch, img_size=size, drop_path_rate=0.0, init_cfg=None)
    model = build_model(RECIPES[task], args.device, {'backbone': backbone, **options})
    images, labels = draw_people(args)
    autocast = torch.autocast(args.device, dtype, enabled=dtype != torch.float32)
    with autocast:
        losses = compute_loss(task, model, images, labels)
    losses = {name: value for name, value in losses.items() if 'loss' in name}
    (scale * sum(losses.values())).backward()
    found = {name: value.detach() for name, value in losses.items()}
    found |= {f'gradient of {part}': g / scale for part, g in gradients(model).items()}
    # As torch's GradScaler does after a step that overflows.
    if scale > 1 and not all(value.isfinite().all() for value in found.values()):
        return compute(task, args, dtype, scale / 2)
    if task == 'pre-training':
        model.update_teacher(0.9)
    for name, value in [*model.named_parameters(), *model.named_buffers()]:
        if value.is_floating_point() and value.dtype != torch.float32:
            raise TypeError(f'{name} is {value.dtype} after the step, not float32')
    model.eval()
    with autocast, torch.no_grad():
        samples = model(images, mode='predict')
    return found | {'features': torch.stack([sample.feature for sample in samples]).float()}


def gradients(model: Any) -> dict[str, Tensor]:
    """Join the gradients of each layer, of the rest of the backbone, and of neck and head."""
    parts: dict[str, list[Tensor]] = {}
    for name, parameter in model.named_parameters():
        if parameter.grad is None:
            continue
        gradient = parameter.grad.flatten()
        if name.endswith('qkv.bias'):
            # That of the keys is zero but for rounding: it adds the same to all scores.
            query, _, value = gradient.chunk(3)
            gradient = torch.cat((query, value))
        part = re.match(r'backbone\.layers\.\d+|\w+', name)
        parts.setdefault(part[0], []).append(gradient)
    return {part: torch.cat(found) for part, found in parts.items()}


def main() -> None:
    """Print the table; fail when a limit is exceeded."""
    parser = make_parser(__doc__)
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--dtypes', nargs='+', choices=DTYPES, help='of those, by default all')
    parser.add_argument('--tasks', nargs='+', choices=RECIPES, default=list(RECIPES))
    parser.add_argument('--arch', help='such as deit-small')
    parser.add_argument('--height', type=int, help='of the images in pixels')
    parser.add_argument('--people', type=int, help='with four images each')
    parser.set_defaults(**(ON_CPU if parser.parse_args().device == 'cpu' else ON_GPU))
    args = parser.parse_args()
    rows, exceeded = [], 0
    print(f'{args.arch}, images of {args.height}x{args.height // 2}, on {args.device}')
    for task in args.tasks:
        exact = compute(task, args, torch.float32)
        depth = sum('layers' in name for name in exact)
        for name in args.dtypes:
            dtype = DTYPES[name]
            limit = torch.finfo(dtype).eps / 2 * sqrt(16 * depth)
            found = compute(task, args, dtype, LOSS_SCALE if name == 'float16' else 1.0)
            for what, value in exact.items():
                error = float((found[what] - value).double().norm() / value.double().norm())
                # Also when the error is no number.
                bad = not error <= limit
                exceeded += bad
                rows.append((task, name, what, f'{error:.1e}', f'{limit:.1e}', '!' * bad))
    print(Table(('task', 'type', 'what', 'relative error', 'limit', ''), rows).to_text())
    print(f'{exceeded} limits exceeded')
    sys.exit(bool(exceeded))


if __name__ == '__main__':
    main()

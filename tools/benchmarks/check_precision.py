"""Compare float16 and bfloat16 with float32: losses, gradients, features and rankings.

A step of pre-training, of fine-tuning and of USL is computed from the same weights and images in
float32 and under autocast. On a GPU that is the published size and both types; without one a
smaller network and bfloat16. The exit status is 1 when a limit is exceeded.

A type rounds by at most a relative u (2^-11 for float16, 2^-8 for bfloat16). A layer of a ViT
rounds about 8 times on its way forth and as often back, independently, so that gradients, losses
and features of L layers may differ by u sqrt(16 L), relative. Rankings follow the features: of the
nearest images, which noise puts in order, a share may be others.

Example:
    python tools/benchmarks/check_precision.py
"""

import argparse
import sys
from math import sqrt

import torch
from precision_tasks import RECIPES, Outcome, Setting, compute, draw_people
from torch import Tensor
from torch.nn import functional as F

from passreid.evaluation.functional import evaluate_rank

DTYPES = {'float16': torch.float16, 'bfloat16': torch.bfloat16}
# Share of the ten nearest images that may be others.
LARGEST_SWAP = 0.1
# Percentage points of mAP.
LARGEST_CHANGE = 1.0
ROW = '{:<13}{:<10}{:<34}{:>11}{:>11}  {}'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--dtypes', nargs='+', choices=DTYPES, help='of those, by default all')
    parser.add_argument('--tasks', nargs='+', choices=RECIPES, default=list(RECIPES))
    parser.add_argument('--arch', help='such as deit-small')
    parser.add_argument('--height', type=int, help='of the images in pixels')
    parser.add_argument('--people', type=int, help='with four images each')
    return parser.parse_args()


def choose_setting(args: argparse.Namespace) -> Setting:
    """Return the published size for a GPU, and one of seconds for a processor."""
    large = args.device != 'cpu'
    return Setting(
        device=args.device,
        arch=args.arch or ('deit-small' if large else 'deit-tiny'),
        height=args.height or (256 if large else 128),
        people=args.people or (16 if large else 4),
        prototypes=65536 if large else 4096,
    )


def group_of(name: str) -> str:
    """Return which part of the network a parameter belongs to."""
    if 'layers.' in name and name.startswith('backbone'):
        return f'layer {name.split("layers.")[1].split(".")[0]}'
    return 'embeddings' if name.startswith('backbone') else name.split('.')[0]


def gradient_errors(found: Outcome, exact: Outcome) -> dict[str, float]:
    """Compute the relative error of the gradients of each part of the network.

    Returns:
        dict[str, float]: Norm of the difference by the norm of the exact gradient.
    """
    sums: dict[str, list[float]] = {}
    for name, value in exact.gradients.items():
        if name.endswith('qkv.bias'):
            # That of the keys is zero but for rounding: it adds the same to all scores.
            query, _, last = value.chunk(3)
            own_query, _, own_last = found.gradients[name].chunk(3)
            value, own = torch.cat((query, last)), torch.cat((own_query, own_last))
        else:
            own = found.gradients[name]
        pair = sums.setdefault(group_of(name), [0.0, 0.0])
        pair[0] += float((own - value).double().square().sum())
        pair[1] += float(value.double().square().sum())
    return {group: sqrt(difference / whole) for group, (difference, whole) in sums.items()}


def mean_ap(features: Tensor, people: Tensor) -> float:
    """Return the mAP in percent, the first image of each person asking for the others."""
    query = torch.arange(len(features), device=features.device) % 4 == 0
    pids, distances = people.cpu().numpy(), torch.cdist(features[query], features[~query])
    mask = query.cpu().numpy()
    cameras = mask.astype(int)
    scores = evaluate_rank(
        distances.cpu().numpy(), pids[mask], pids[~mask], cameras[mask], cameras[~mask], max_rank=1
    )
    return 100 * float(scores.mAP)


def swapped(features: Tensor, others: Tensor, count: int = 10) -> float:
    """Return the share of the nearest images that are others."""
    nearest = [
        torch.cdist(each, each).fill_diagonal_(torch.inf).topk(count, largest=False).indices
        for each in (features, others)
    ]
    shared = (nearest[0].unsqueeze(2) == nearest[1].unsqueeze(1)).any(2)
    return 1 - float(shared.float().mean())


def compare(found: Outcome, exact: Outcome, people: Tensor, dtype: torch.dtype) -> list[tuple]:
    """Compare what a type computes with float32.

    Returns:
        list[tuple[str, float, float]]: What, the error, and the limit.
    """
    limit = torch.finfo(dtype).eps / 2 * sqrt(16 * exact.depth)
    rows = [
        (f'{name}, relative', abs(found.losses[name] - value) / abs(value), limit)
        for name, value in exact.losses.items()
    ]
    errors = gradient_errors(found, exact)
    rows += [(f'gradient of {group}, relative', error, limit) for group, error in errors.items()]
    features, others = (F.normalize(one.features, dim=1) for one in (found, exact))
    rows.append(('features, relative', float((features - others).norm(dim=1).max()), limit))
    rows.append(('ten nearest images, swapped', swapped(features, others), LARGEST_SWAP))
    change = abs(mean_ap(features, people) - mean_ap(others, people))
    rows.append(('mAP, percentage points', change, LARGEST_CHANGE))
    bad = sum(
        value.dtype != torch.float32 or not bool(value.isfinite().all())
        for value in found.states.values()
    )
    rows.append(('states not finite or not float32', float(bad), 0.0))
    return rows


def main() -> None:
    """Print the table; fail when a limit is exceeded."""
    args = parse_args()
    setting = choose_setting(args)
    dtypes = args.dtypes or (['bfloat16'] if setting.device == 'cpu' else list(DTYPES))
    _, people = draw_people(setting)
    print(setting)
    print(ROW.format('task', 'type', 'what', 'error', 'limit', ''))
    exceeded = 0
    for task in args.tasks:
        exact = compute(task, setting, torch.float32)
        for name in dtypes:
            found = compute(task, setting, DTYPES[name])
            for what, error, limit in compare(found, exact, people, DTYPES[name]):
                # Also when the error is no number.
                bad = not error <= limit
                exceeded += bad
                print(ROW.format(task, name, what, f'{error:.2e}', f'{limit:.2e}', '!' * bad))
    print(f'{exceeded} limits exceeded')
    sys.exit(bool(exceeded))


if __name__ == '__main__':
    main()

"""Draw rendered pedestrians as a contact sheet: people below one another, their pictures beside.

Example:
    python tools/visualization/browse_synthetic.py --domain b --out pedestrians.png
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from passreid.datasets.rendering import DOMAINS, Picture, render


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--out', type=Path, default=Path('synthetic.png'), help='picture to write')
    parser.add_argument(
        '--domain', choices=(*DOMAINS, 'both'), default='both', help='whom to draw; both: halves'
    )
    parser.add_argument('--seed', type=int, default=0, help='seed of the data set')
    parser.add_argument('--split', default='train', help='train, test or unlabelled')
    parser.add_argument('--first', type=int, default=0, help='first person')
    parser.add_argument('--people', type=int, default=8, help='number of people of a domain')
    parser.add_argument('--pictures', type=int, default=8, help='number of pictures of each')
    parser.add_argument('--cameras', type=int, default=4, help='cameras of the network')
    parser.add_argument('--zoom', type=float, default=1.5, help='enlargement')
    return parser.parse_args()


def draw_domain(domain: str, args: argparse.Namespace) -> np.ndarray:
    """Render the rows of one domain; the cameras take turns.

    Args:
        domain (str): 'a' or 'b'.
        args (argparse.Namespace): The command line.

    Returns:
        np.ndarray: The rows, (people * 128, pictures * 64, 3), uint8, BGR.
    """
    network = 'pool' if args.split == 'unlabelled' else 'labelled'
    rows = []
    for person in range(args.first, args.first + args.people):
        row = []
        for index in range(args.pictures):
            picture = Picture(
                seed=args.seed,
                domain=domain,
                split=args.split,
                person=person,
                index=index,
                network=network,
                camera=index % args.cameras,
                num_cameras=args.cameras,
                size=(128, 64),
            )
            row.append(render(picture)[0])
        rows.append(np.hstack(row))
    return np.vstack(rows)


def main() -> None:
    """Write the contact sheet."""
    args = parse_args()
    domains = DOMAINS if args.domain == 'both' else (args.domain,)
    sheet = np.hstack([draw_domain(domain, args) for domain in domains])
    sheet = cv2.resize(sheet, None, fx=args.zoom, fy=args.zoom, interpolation=cv2.INTER_CUBIC)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(args.out), sheet):
        raise OSError(f'cannot write {args.out}')
    print(f'{args.out}: {len(domains) * args.people} people, {args.pictures} pictures each')


if __name__ == '__main__':
    main()

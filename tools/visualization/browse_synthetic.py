"""Draw rendered pedestrians as a contact sheet: people below one another, their pictures beside."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path

import cv2
import numpy as np

from passreid.rendering import DOMAINS, Picture, render


def main() -> None:
    """Write the contact sheet."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, default=Path('synthetic.png'), help='picture to write')
    text = 'whom to draw; both: halves'
    parser.add_argument('--domain', choices=(*DOMAINS, 'both'), default='both', help=text)
    parser.add_argument('--seed', type=int, default=0, help='seed of the data set')
    parser.add_argument('--split', default='train', help='train, test or unlabelled')
    parser.add_argument('--first', type=int, default=0, help='first person')
    parser.add_argument('--people', type=int, default=8, help='number of people of a domain')
    parser.add_argument('--pictures', type=int, default=8, help='number of pictures of each')
    parser.add_argument('--cameras', type=int, default=4, help='cameras of the network')
    parser.add_argument('--zoom', type=float, default=1.5, help='enlargement')
    args = parser.parse_args()
    domains = DOMAINS if args.domain == 'both' else (args.domain,)
    people, pictures = range(args.first, args.first + args.people), range(args.pictures)
    network = 'pool' if args.split == 'unlabelled' else 'labelled'
    common = dict(seed=args.seed, split=args.split, network=network, num_cameras=args.cameras)

    def draw(domain: str, person: int, index: int) -> np.ndarray:
        # The cameras take turns.
        who = dict(domain=domain, person=person, index=index, camera=index % args.cameras)
        return render(Picture(**who, **common, size=(128, 64)))[0]

    rows = [[draw(d, person, n) for d in domains for n in pictures] for person in people]
    sheet = cv2.vconcat([cv2.hconcat(row) for row in rows])
    sheet = cv2.resize(sheet, None, fx=args.zoom, fy=args.zoom, interpolation=cv2.INTER_CUBIC)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(args.out), sheet):
        raise OSError(f'cannot write {args.out}')
    print(f'{args.out}: {len(domains) * args.people} people, {args.pictures} pictures each')


if __name__ == '__main__':
    main()

"""Measure how many synthetic pictures one core renders in a second.

Example:
    python tools/benchmarks/benchmark_rendering.py --size 128 64
"""

import argparse

import cv2
from measure import best_seconds

from passreid.rendering import DOMAINS, SyntheticSettings, render
from passreid.rendering.plan import plan_files


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--size', type=int, nargs=2, default=(128, 64), help='height and width')
    parser.add_argument('--people', type=int, default=20, help='number of people')
    parser.add_argument('--rounds', type=int, default=10, help='the best of this many counts')
    return parser.parse_args()


def main() -> None:
    """Print pictures per second for each domain, without and with JPEG encoding."""
    args = parse_args()
    cv2.setNumThreads(0)
    paths = {}
    for domain in DOMAINS:
        settings = SyntheticSettings(
            domain=domain, image_size=args.size, train_ids=args.people, unlabelled_ids=1
        )
        pictures = [file.picture for file in plan_files(settings) if file.picture.split == 'train']

        def draw(pictures: list = pictures) -> None:
            for picture in pictures:
                render(picture)

        def draw_and_encode(pictures: list = pictures) -> None:
            for picture in pictures:
                image, quality = render(picture)
                cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])

        draw()  # Cameras and people are set up once.
        paths[f'{domain}, rendered'] = draw
        paths[f'{domain}, rendered and encoded'] = draw_and_encode
    for name, seconds in best_seconds(paths, args.rounds).items():
        print(f'domain {name}: {len(pictures) / seconds:.0f} pictures/s on one core')


if __name__ == '__main__':
    main()

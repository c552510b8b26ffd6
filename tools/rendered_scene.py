"""Render people who walk past several cameras, as an example for tools/link_tracks.py.

Example:
    python tools/rendered_scene.py scene
"""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter

from passreid.rendering import Scene, write_scene


def parse_args() -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    option = parser.add_argument
    option('folder', help='where the cameras c1, c2, ... are written')
    option('--seed', type=int, default=0, help='of people and ways (default: 0)')
    option('--people', type=int, default=8, help='default: 8')
    option('--cameras', type=int, default=3, help='default: 3')
    option('--seconds', type=float, default=60.0, help='default: 60')
    return parser.parse_args()


def main() -> None:
    """Render."""
    args = parse_args()
    numbers = dict(people=args.people, cameras=args.cameras, seconds=args.seconds)
    scene = Scene(seed=args.seed, **numbers)
    print(f'{write_scene(args.folder, scene)}: {scene}')


if __name__ == '__main__':
    main()

"""Convert a backbone of ours without part tokens into weights for a ViT of timm.

Example:
    python tools/model_converters/passreid_to_timm.py epoch_120.pth vit.pth
"""

from argparse import Namespace

from conversion import make_parser, run

from passreid.models.converters import to_vit_checkpoint


def parse_args() -> Namespace:
    """Read the command line."""
    return make_parser(__doc__, 'bare weights').parse_args()


def main() -> None:
    """Convert."""
    run(parse_args(), lambda content, _: (to_vit_checkpoint(content), 'plain ViT'))


if __name__ == '__main__':
    main()

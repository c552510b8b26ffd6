"""Convert a backbone of ours without part tokens into weights for a ViT of timm.

Example:
    python tools/model_converters/passreid_to_timm.py epoch_120.pth vit.pth
"""

from argparse import Namespace

from conversion import make_parser, read_source, write_file

from passreid.models.converters import to_vit_checkpoint
from passreid.models.converters.positions import stated_grid


def parse_args() -> Namespace:
    """Read the command line."""
    return make_parser(__doc__, 'file to write: bare weights').parse_args()


def main() -> None:
    """Convert."""
    args = parse_args()
    content = read_source(args)
    write_file(to_vit_checkpoint(content), args, 'plain ViT', stated_grid(content))


if __name__ == '__main__':
    main()

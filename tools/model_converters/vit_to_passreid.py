"""Convert a ViT of DINO, DINOv2, TransReID-SSL, DeiT, timm or mmpretrain into a backbone of ours.

Converting is not necessary, since init_cfg and load_from take such files as they are. Positions,
patches and LayerScale stay as they were trained: PartViT fits them to its size when it loads them.

Example:
    python tools/model_converters/vit_to_passreid.py dinov2_vits14_pretrain.pth backbone.pth \
        --config configs/supervised/vit-s16_market1501-256x128.py
"""

from argparse import Namespace

from conversion import add_config, make_parser, print_fit, read_source, write_file

from passreid.models.converters import from_vit_checkpoint
from passreid.models.converters.names import is_part_vit_key
from passreid.models.converters.positions import stated_grid
from passreid.models.converters.vit_checkpoint import vit_weights

_MAX_NAMES = 5


def parse_args() -> Namespace:
    """Read the command line."""
    parser = make_parser(__doc__, 'file to write: state_dict with backbone.*, and meta')
    parser.add_argument(
        '--prefix', help='beginning of the names of the ViT (default: found by its cls_token)'
    )
    parser.add_argument(
        '--grid',
        nargs=2,
        type=int,
        metavar=('H', 'W'),
        help='grid of the positions, if SRC does not tell it and several are plausible',
    )
    add_config(parser)
    return parser.parse_args()


def main() -> None:
    """Convert."""
    args = parse_args()
    content = read_source(args)
    grid = stated_grid(content) or (tuple(args.grid) if args.grid else None)
    weights = from_vit_checkpoint(content, args.prefix, grid)
    vit = vit_weights(content, args.prefix)
    if others := [name for name in vit if not is_part_vit_key(name)]:
        more = f', and {len(others) - _MAX_NAMES} more' if len(others) > _MAX_NAMES else ''
        print(f'Left out {len(others)} beside the ViT: {", ".join(others[:_MAX_NAMES])}{more}')
    if args.config:
        print_fit(weights, args.config, args.src)
    write_file({'state_dict': weights}, args, 'backbone', grid)


if __name__ == '__main__':
    main()

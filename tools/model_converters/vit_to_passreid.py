"""Convert a ViT of DINO, DINOv2, PersonViT, TransReID-SSL, DeiT, timm, mmpretrain into one of ours.

Converting is not necessary, since init_cfg and load_from take such files as they are. Positions,
patches and LayerScale stay as they were trained: PartViT fits them to its size when it loads them.
"""

from argparse import Namespace

from conversion import Content, make_parser, run

from passreid.models.converters import from_vit_checkpoint
from passreid.models.converters.names import is_part_vit_key
from passreid.models.converters.positions import stated_grid
from passreid.models.converters.vit_checkpoint import vit_weights
from passreid.utils.messages import name_some


def convert(content: Content, args: Namespace) -> tuple[Content, str]:
    """Convert what SRC holds, and say what is left out."""
    grid = stated_grid(content) or (tuple(args.grid) if args.grid else None)
    weights = from_vit_checkpoint(content, args.prefix, grid)
    vit = vit_weights(content, args.prefix)
    if others := [name for name in vit if not is_part_vit_key(name)]:
        print(f'Left out {len(others)} beside the ViT: {name_some(others)}')
    return {'state_dict': weights}, 'backbone'


def main() -> None:
    """Convert."""
    parser = make_parser(__doc__, 'state_dict with backbone.*, and meta', config=True)
    text = 'beginning of the names of the ViT (default: found by its cls_token)'
    parser.add_argument('--prefix', help=text)
    text = 'grid of the positions, if SRC does not tell it and several are plausible'
    parser.add_argument('--grid', nargs=2, type=int, metavar=('H', 'W'), help=text)
    run(parser, convert)


if __name__ == '__main__':
    main()

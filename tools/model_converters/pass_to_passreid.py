"""Convert a checkpoint of the authors of PASS into one of ours.

All their files are known: of pre-training (the container or the bare backbone), of fine-tuning, of
USL and UDA. Converting is not necessary, since they load as they are wherever one of ours does.

Example:
    python tools/model_converters/pass_to_passreid.py pass_vit_small_full.pth backbone.pth
"""

from argparse import Namespace

from conversion import add_config, make_parser, print_fit, read_source, write_file

from passreid.models.converters import from_pass_checkpoint, pass_kind
from passreid.models.converters.positions import stated_grid


def parse_args() -> Namespace:
    """Read the command line."""
    parser = make_parser(__doc__, 'file to write: state_dict and meta')
    parser.add_argument(
        '--kind',
        choices=('pretrain', 'supervised', 'usl'),
        help='which of their programs wrote SRC (default: told by its content)',
    )
    add_config(parser)
    return parser.parse_args()


def main() -> None:
    """Convert."""
    args = parse_args()
    content = read_source(args)
    kind = args.kind or pass_kind(content)
    if kind is None:
        raise ValueError(
            f"{args.src} is no checkpoint of the authors' code that is known. For a ViT of another "
            'project there is vit_to_passreid.py'
        )
    weights = from_pass_checkpoint(content, kind)
    if args.config:
        print_fit(weights, args.config, args.src)
    write_file({'state_dict': weights}, args, kind, stated_grid(content))


if __name__ == '__main__':
    main()

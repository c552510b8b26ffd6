"""Convert a checkpoint of ours into one that the code of the authors of PASS loads.

Example:
    python tools/model_converters/passreid_to_pass.py epoch_100.pth vit_s.pth --kind backbone
"""

from argparse import Namespace

from conversion import make_parser, run

from passreid.models.converters import to_pass_checkpoint

KINDS = {
    'pretrain': 'student, teacher and centers of pre-training',
    'backbone': 'the bare backbone, of the teacher where there is one',
    'supervised': 'a fine-tuned model',
    'usl': 'a model of USL or UDA',
}


def parse_args() -> Namespace:
    """Read the command line."""
    parser = make_parser(__doc__, 'of their kind')
    text = '; '.join(f'{kind}: {what}' for kind, what in KINDS.items())
    parser.add_argument('--kind', choices=KINDS, required=True, help=text)
    return parser.parse_args()


def main() -> None:
    """Convert."""
    args = parse_args()
    run(args, lambda content, _: (to_pass_checkpoint(content, args.kind), args.kind))


if __name__ == '__main__':
    main()

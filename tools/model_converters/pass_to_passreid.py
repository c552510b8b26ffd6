"""Convert a checkpoint of the authors of PASS into one of ours.

All their files are known: of pre-training (the container or the bare backbone), of fine-tuning, of
USL and UDA. Converting is not necessary, since they load as they are wherever one of ours does.
"""

from argparse import Namespace

from conversion import Content, make_parser, run

from passreid.models.converters import from_pass_checkpoint, pass_kind


def convert(content: Content, args: Namespace) -> tuple[Content, str]:
    """Convert what SRC holds."""
    kind = args.kind or pass_kind(content)
    if kind is None:
        raise ValueError(
            f"{args.src} is no checkpoint of the authors' code that is known. For a ViT of another "
            'project there is vit_to_passreid.py'
        )
    return {'state_dict': from_pass_checkpoint(content, kind)}, kind


def main() -> None:
    """Convert."""
    parser = make_parser(__doc__, 'state_dict and meta', config=True)
    text = 'which of their programs wrote SRC (default: told by its content)'
    parser.add_argument('--kind', choices=('pretrain', 'supervised', 'usl'), help=text)
    run(parser, convert)


if __name__ == '__main__':
    main()

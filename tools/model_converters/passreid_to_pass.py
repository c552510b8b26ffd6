"""Convert a checkpoint of ours into one that the code of the authors of PASS loads."""

from conversion import make_parser, run

from passreid.models.converters import to_pass_checkpoint

KINDS = {
    'pretrain': 'student, teacher and centers of pre-training',
    'backbone': 'the bare backbone, of the teacher where there is one',
    'supervised': 'a fine-tuned model',
    'usl': 'a model of USL or UDA',
}


def main() -> None:
    """Convert."""
    parser = make_parser(__doc__, 'of their kind')
    text = '; '.join(f'{kind}: {what}' for kind, what in KINDS.items())
    parser.add_argument('--kind', choices=KINDS, required=True, help=text)
    run(parser, lambda content, args: (to_pass_checkpoint(content, args.kind), args.kind))


if __name__ == '__main__':
    main()

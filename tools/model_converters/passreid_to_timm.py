"""Convert a backbone of ours without part tokens into weights for a ViT of timm."""

from conversion import make_parser, run

from passreid.models.converters import to_vit_checkpoint


def main() -> None:
    """Convert."""
    parser = make_parser(__doc__, 'bare weights')
    run(parser, lambda content, _: (to_vit_checkpoint(content), 'plain ViT'))


if __name__ == '__main__':
    main()

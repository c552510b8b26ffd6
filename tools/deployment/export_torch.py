"""Write a model in a format of torch that makes features of images.

The file takes any number of images of the config's size, and is compared with the model before it
is written.

Example:
    python tools/deployment/export_torch.py configs/supervised/vit-t8_synthetic.py \
        work_dirs/vit-t8_synthetic/epoch_30.pth --format export --out model.pt2
"""

import argparse

from exporting import add_export_options, read_model

from passreid.deployment import export_program, export_torchscript

FORMATS = {'torchscript': export_torchscript, 'export': export_program}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_export_options(parser)
    parser.add_argument(
        '--format',
        choices=FORMATS,
        default='export',
        help='export: torch.export, a file .pt2 (default); torchscript: a file .pt',
    )
    return parser.parse_args()


def main() -> None:
    """Export, and say what was written."""
    args = parse_args()
    model, images = read_model(args)
    difference = FORMATS[args.format](model, args.out, images=images)
    print(f'{args.out}: {model.info}\nFeatures differ from those of the model by {difference:.1e}.')


if __name__ == '__main__':
    main()

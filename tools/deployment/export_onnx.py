"""Write a model as an ONNX file that makes features of images.

The file takes any number of images of the config's size, and is compared with torch before it is
written.

Example:
    python tools/deployment/export_onnx.py configs/supervised/vit-t8_synthetic.py \
        work_dirs/vit-t8_synthetic/epoch_30.pth --out model.onnx
"""

import argparse

from exporting import add_export_options, read_model

from passreid.deployment import export_onnx


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_export_options(parser)
    parser.add_argument(
        '--opset', type=int, default=18, help='version of the operators, from 18 (default: 18)'
    )
    return parser.parse_args()


def main() -> None:
    """Export, and say what was written."""
    args = parse_args()
    model, images = read_model(args)
    difference = export_onnx(model, args.out, opset=args.opset, images=images)
    print(f'{args.out}: {model.info}\nFeatures differ from those of torch by {difference:.1e}.')


if __name__ == '__main__':
    main()

"""Turn the weights of an exported ONNX file into 8-bit integers.

What that costs in accuracy, tools/deployment/test_onnx.py tells.
"""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path

from folder_images import folder_images

from passreid.deployment import ExportedModel, quantize_onnx

MOST = 256


def main() -> None:
    """Quantise, and say what was written."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    option = parser.add_argument
    option('model', help='file of tools/deployment/export_onnx.py')
    option('--out', required=True, metavar='FILE', help='the file to write')
    text = f'measure the ranges of activations once, on images of this folder (the first {MOST})'
    option('--calibrate', metavar='FOLDER', help=text)
    text = 'weights of 7 bits, for processors without VNNI instructions (before about 2019)'
    option('--reduce-range', action='store_true', help=text)
    option('--per-tensor', action='store_true', help='one scale for each weight, not each column')
    args = parser.parse_args()
    images = args.calibrate and folder_images(ExportedModel(args.model).info, args.calibrate, MOST)
    cosine = quantize_onnx(
        args.model,
        args.out,
        per_channel=not args.per_tensor,
        reduce_range=args.reduce_range,
        images=images,
    )
    before, after = (Path(path).stat().st_size / 1e6 for path in (args.model, args.out))
    print(
        f'{args.out}: {after:.1f} MB instead of {before:.1f} MB. The cosine of features of '
        f'{"noise" if images is None else "these images"} with those of {args.model} is at least '
        f'{cosine:.4f}.'
    )


if __name__ == '__main__':
    main()

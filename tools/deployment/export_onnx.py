"""Write a model as an ONNX file that makes features of images.

The file takes any number of images as a tracker feeds them, and is compared with torch before it
is written.
"""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from folder_images import folder_images

from passreid.apis import get_model, load_config
from passreid.deployment import ExportableModel, export_onnx
from passreid.deployment.exportable_model import INPUTS
from passreid.deployment.trackers import TRACKERS, ultralytics_margin
from passreid.utils.config import add_config_options, apply_config_options

# Enough to tell a mistake.
MAX_CHECKED = 64


def main() -> None:
    """Export, and say what was written."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    option = parser.add_argument
    option('config', help='config file, for example configs/supervised/NAME.py')
    text = "weights, as for tools/test.py; 'none' for untrained ones, which show speed alone"
    option('checkpoint', help=text)
    option('--out', required=True, metavar='FILE', help='the file to write')
    text = 'features as they are (default: of unit length)'
    option('--no-normalize', dest='normalize', action='store_false', help=text)
    inputs = parser.add_mutually_exclusive_group()
    text = 'the program that will run the file, which decides on --input (default: plain)'
    inputs.add_argument('--for', dest='tracker', choices=TRACKERS, default='plain', help=text)
    text = 'pixels: RGB or BGR from 0 to 255 in uint8; in float32 RGB / 255, RGB normalised as for '
    text += "ImageNet, or with the model's mean and std"
    inputs.add_argument('--input', choices=INPUTS, help=text)
    size: dict[str, Any] = dict(type=int, nargs=2, metavar=('HEIGHT', 'WIDTH'))
    text = "of the images that are fed and then resized in the file (default: the model's)"
    option('--input-size', **size, help=text)
    text = 'typical box in your frames, in pixels: the margin that Ultralytics adds is cut off'
    option('--box-size', **size, help=text)
    option('--license', default='', help='licence of the weights, written into the file')
    option('--flip', action='store_true', help='average in the mirror image of each image')
    text = f'compare the features of images of this folder, too (the first {MAX_CHECKED})'
    option('--check-images', metavar='FOLDER', help=text)
    option('--opset', type=int, default=18, help='version of the operators, from 18')
    add_config_options(parser)
    args = parser.parse_args()
    if args.box_size and args.tracker != 'ultralytics':
        parser.error('--box-size is for --for ultralytics alone: other programs add no margin')
    cfg = load_config(args.config)
    apply_config_options(cfg, args)
    tracker = TRACKERS[args.tracker]
    model = ExportableModel(
        get_model(cfg, None if args.checkpoint == 'none' else args.checkpoint),
        normalize=args.normalize,
        flip=args.flip,
        input_size=args.input_size,
        margin=ultralytics_margin(args.box_size) if args.box_size else (0.0, 0.0),
        config=Path(args.config).stem,
        license=args.license,
        **(dict(input=args.input) if args.input else tracker.options),
    )
    images = args.check_images and folder_images(model.info, args.check_images, MAX_CHECKED)
    difference = export_onnx(model, args.out, opset=args.opset, images=images)
    print(f'{args.out}: {model.info}\nFeatures differ from those of torch by {difference:.1e}.')
    if not args.input:
        height, width = model.info.input_size
        print(f'To run it:\n{tracker.usage.format(path=args.out, height=height, width=width)}')


if __name__ == '__main__':
    main()

"""Write a model as an ONNX file that makes features of images.

The file takes any number of images of the config's size, and is compared with torch before it is
written.
"""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path

from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

from passreid.apis import get_model, load_config
from passreid.apis.inference_pipeline import inference_pipeline, list_folder, load_batches
from passreid.deployment import ExportableModel, export_onnx
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
    text = 'the file takes RGB values from 0 to 255 and normalises them itself (default)'
    inputs.add_argument('--raw-input', action='store_true', default=True, help=text)
    text = 'the caller has normalised the images by mean and std'
    inputs.add_argument('--normalized-input', dest='raw_input', action='store_false', help=text)
    option('--flip', action='store_true', help='average in the mirror image of each image')
    text = f'compare the features of images of this folder, too (the first {MAX_CHECKED})'
    option('--check-images', metavar='FOLDER', help=text)
    option('--opset', type=int, default=18, help='version of the operators, from 18')
    add_config_options(parser)
    args = parser.parse_args()
    cfg = load_config(args.config)
    apply_config_options(cfg, args)
    model = ExportableModel(
        get_model(cfg, None if args.checkpoint == 'none' else args.checkpoint),
        normalize=args.normalize,
        raw_input=args.raw_input,
        flip=args.flip,
        config=Path(args.config).stem,
    )
    images = None
    if args.check_images:
        with DefaultScope.overwrite_default_scope('passreid'):
            pipeline = Compose(inference_pipeline(cfg))
        (batch,) = load_batches(list_folder(args.check_images)[:MAX_CHECKED], pipeline, MAX_CHECKED)
        images = batch.data['inputs']
        # In the order of the channels that the model sees after its data preprocessor.
        to_rgb = cfg.model.get('data_preprocessor', {}).get('to_rgb')
        images = model.info.prepare((images.flip(1) if to_rgb else images).float())
    difference = export_onnx(model, args.out, opset=args.opset, images=images)
    print(f'{args.out}: {model.info}\nFeatures differ from those of torch by {difference:.1e}.')


if __name__ == '__main__':
    main()

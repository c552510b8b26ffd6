"""What the programs that export have in common."""

import argparse
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from mmengine.utils import scandir
from torch import Tensor

from passreid.apis import get_model, load_config
from passreid.apis.inference_pipeline import inference_pipeline
from passreid.deployment import ExportableModel
from passreid.utils.config_options import add_config_options, apply_config_options

_IMAGES = ('.bmp', '.jpeg', '.jpg', '.png', '.webp')
# Enough to tell a mistake.
_MAX_CHECKED = 64


def add_export_options(parser: argparse.ArgumentParser) -> None:
    """Give a program the options that :func:`read_model` reads."""
    parser.add_argument('config', help='config file, for example configs/supervised/NAME.py')
    parser.add_argument(
        'checkpoint',
        help="weights: a checkpoint of training or pre-training, or a file of the authors' code; "
        "'none' for untrained ones, which show speed alone",
    )
    parser.add_argument('--out', required=True, metavar='FILE', help='the file to write')
    parser.add_argument(
        '--no-normalize',
        dest='normalize',
        action='store_false',
        help='features as they are (default: of unit length)',
    )
    inputs = parser.add_mutually_exclusive_group()
    inputs.add_argument(
        '--raw-input',
        action='store_true',
        default=True,
        help='the file takes RGB values from 0 to 255 and normalises them itself (default)',
    )
    inputs.add_argument(
        '--normalized-input',
        dest='raw_input',
        action='store_false',
        help='the file takes images that the caller has normalised by mean and std',
    )
    parser.add_argument(
        '--flip',
        action='store_true',
        help='average the features of each image and its mirror image in the file',
    )
    parser.add_argument(
        '--check-images',
        metavar='FOLDER',
        help=f'compare the features of images of this folder, too (the first {_MAX_CHECKED})',
    )
    add_config_options(parser)


def read_model(args: argparse.Namespace) -> tuple[ExportableModel, Tensor | None]:
    """Build what is to be exported, and load the images to check it with.

    Args:
        args (argparse.Namespace): The options of :func:`add_export_options`.

    Returns:
        tuple[ExportableModel, Tensor | None]: The model, and images as it takes them.
    """
    cfg = load_config(args.config)
    apply_config_options(cfg, args)
    model = get_model(cfg, None if args.checkpoint == 'none' else args.checkpoint)
    exportable = ExportableModel(
        model,
        normalize=args.normalize,
        raw_input=args.raw_input,
        flip=args.flip,
        config=Path(args.config).stem,
    )
    if args.check_images is None:
        return exportable, None
    return exportable, _load_images(cfg, exportable, Path(args.check_images))


def _load_images(cfg: Config, model: ExportableModel, folder: Path) -> Tensor:
    """Load images as a test does, ``(B, 3, H, W)`` float32."""
    paths = sorted(scandir(folder, _IMAGES, recursive=True, case_sensitive=False))[:_MAX_CHECKED]
    if not paths:
        raise FileNotFoundError(f'--check-images: there are no images in {folder}')
    with DefaultScope.overwrite_default_scope('passreid'):
        load = Compose(inference_pipeline(cfg))
    images = torch.stack([load(dict(img_path=str(folder / path)))['inputs'] for path in paths])
    # In the order of the channels that the model sees after its data preprocessor.
    images = images.flip(1) if cfg.model.get('data_preprocessor', {}).get('to_rgb') else images
    return images.float() if model.raw_input else model.info.prepare(images.float())

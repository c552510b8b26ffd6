"""Draw the views that pre-training sees, and where they were cut, as a contact sheet.

Images go through the train pipeline and the data preprocessor of the config, so that the sheet
shows what the model gets, only with the normalisation undone.

Example:
    python tools/visualization/browse_views.py configs/pass/pass_vit-s16_lup.py --out views.png
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset, default_collate
from view_sheet import ViewedImage, draw_sheet

from passreid.apis import load_config
from passreid.datasets.transforms import PackViews, PartAwareMultiCrop
from passreid.registry import DATASETS, MODELS, TRANSFORMS, type_of
from passreid.utils import register_all_modules
from passreid.utils.config_options import add_config_options, apply_config_options


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file of a pre-training run')
    parser.add_argument('--out', type=Path, default=Path('views.png'), help='picture to write')
    parser.add_argument('-n', '--number', type=int, default=4, help='number of images')
    parser.add_argument('--seed', type=int, default=0, help='chooses images and views')
    parser.add_argument('--dpi', type=int, default=100, help='resolution of the picture')
    add_config_options(parser)
    return parser.parse_args()


def keep_originals(cfg: Config) -> int:
    """Make the train pipeline keep images and boxes, and return its number of areas."""
    steps = {type_of(step, TRANSFORMS): step for step in cfg.train_dataloader.dataset.pipeline}
    missing = [kind.__name__ for kind in (PackViews, PartAwareMultiCrop) if kind not in steps]
    if missing:
        raise ValueError(
            f'the train pipeline of {cfg.filename} has no {" and no ".join(missing)}: '
            'it makes no views that could be drawn'
        )
    steps[PartAwareMultiCrop]['keep_boxes'] = True
    steps[PackViews]['meta_keys'] = ('img', 'view_boxes')
    return steps[PartAwareMultiCrop].get('num_parts', 3)


def make_views(dataset: BaseDataset, preprocessor: torch.nn.Module, seed: int, number: int) -> list:
    """Choose images, cut and augment their views.

    Args:
        dataset (BaseDataset): Data set whose pipeline keeps images and boxes.
        preprocessor (torch.nn.Module): Data preprocessor of the model.
        seed (int): Seed of the choice and of the views.
        number (int): Number of images.

    Returns:
        list[ViewedImage]: The images and their views.
    """
    np.random.seed(seed)
    torch.manual_seed(seed)
    chosen = np.random.permutation(len(dataset))[:number]
    batch = preprocessor(default_collate([dataset[int(index)] for index in chosen]), training=True)
    views = {
        kind: denormalise(normalised, preprocessor).unflatten(0, (-1, len(chosen))).transpose(0, 1)
        for kind, normalised in batch['inputs'].items()
    }
    return [
        ViewedImage(
            image=sample.img[..., ::-1] / 255 if preprocessor.to_rgb else sample.img / 255,
            global_views=views['global_views'][index].numpy(),
            local_views=views['local_views'][index].numpy(),
            global_boxes=sample.view_boxes['global_views'],
            local_boxes=sample.view_boxes['local_views'],
        )
        for index, sample in enumerate(batch['data_samples'])
    ]


def denormalise(views: torch.Tensor, preprocessor: torch.nn.Module) -> torch.Tensor:
    """Turn normalised views (N, 3, H, W) into pixels (N, H, W, 3) in [0, 1]."""
    pixels = (views * preprocessor.std + preprocessor.mean) / 255
    return pixels.clamp(0, 1).permute(0, 2, 3, 1)


def main() -> None:
    """Write the contact sheet."""
    args = parse_args()
    cfg = load_config(args.config)
    apply_config_options(cfg, args)
    register_all_modules()
    num_parts = keep_originals(cfg)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    preprocessor = MODELS.build(cfg.model.data_preprocessor)
    images = make_views(dataset, preprocessor, args.seed, args.number)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    draw_sheet(images, num_parts).savefig(args.out, dpi=args.dpi)
    print(f'Wrote the views of {len(images)} images to {args.out}')


if __name__ == '__main__':
    main()

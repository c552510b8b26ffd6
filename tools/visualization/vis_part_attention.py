"""Draw where in an image [CLS] and each [PART] look, as one row of overlays for each image.

Drawn is the attention of the last layer, averaged over its heads. CHECKPOINT may come from
pre-training, of which the teacher is shown, or from fine-tuning, or be a bare backbone.
"""

import os.path as osp
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose

from passreid.apis import load_config, load_weights
from passreid.apis.inference_pipeline import list_inputs
from passreid.datasets.transforms import LoadPersonImage
from passreid.models import PartViT
from passreid.registry import DATASETS, MODELS
from passreid.utils import register_all_modules
from passreid.utils.config import add_config_options, apply_config_options
from passreid.visualization import draw_part_attention, write_png


def load_backbone(cfg: Config, checkpoint: str) -> PartViT:
    """Build the backbone of a config and fill all of it from any checkpoint that holds one."""
    backbone = MODELS.build(dict(cfg.model.backbone, init_cfg=None))
    if not isinstance(backbone, PartViT):
        raise TypeError(f'{cfg.filename}: {type(backbone).__name__} has no part tokens')
    if missing := sorted(load_weights(backbone, checkpoint).initialised):
        names = ', '.join(missing[:5])
        raise ValueError(f'{checkpoint} lacks {names} of the backbone of {cfg.filename}')
    backbone.eval()
    return backbone


def choose_files(names: Sequence[str], number: int, seed: int) -> list[str]:
    """Take the image files that are named, and so many of each folder."""
    chosen = []
    for name in names:
        found = list_inputs(name)
        order = np.random.default_rng(seed).permutation(len(found))
        chosen += [found[index] for index in sorted(order[:number])]
    return chosen


def choose_people(cfg: Config, split: str, number: int, seed: int) -> list[str]:
    """Take one image of each of some people of the first test set."""
    if not (loader := cfg.get('test_dataloader')):
        raise ValueError(f'{cfg.filename} has no test_dataloader: name images instead of --split')
    settings = (loader[0] if isinstance(loader, list) else loader).dataset
    dataset = DATASETS.build({**settings, 'split': split, 'pipeline': []})
    people, first = np.unique(dataset.pids, return_index=True)
    order = np.random.default_rng(seed).permutation(len(people))
    return [dataset.get_data_info(int(first[index]))['img_path'] for index in order[:number]]


@torch.no_grad()
def main() -> None:
    """Write the picture."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    option = parser.add_argument
    option('config', help='config file of the model')
    option('checkpoint', help='its weights')
    option('images', nargs='*', help='image files, or a folder of them')
    text = "instead of IMAGES: people of this split of the config's test set"
    option('--split', choices=('query', 'gallery', 'train'), help=text)
    option('-n', '--num', type=int, default=8, help='images of a folder or split')
    option('--seed', type=int, default=0, help='chooses them')
    option('--out', type=Path, default=Path('part_attention.png'), help='picture')
    option('--dpi', type=int, default=130, help='resolution of the picture')
    add_config_options(parser)
    args = parser.parse_args()
    if bool(args.images) == bool(args.split):
        parser.error('give either IMAGES or --split')
    cfg = load_config(args.config)
    apply_config_options(cfg, args)
    register_all_modules()
    backbone = load_backbone(cfg, args.checkpoint)
    if args.split:
        paths = choose_people(cfg, args.split, args.num, args.seed)
    else:
        paths = choose_files(args.images, args.num, args.seed)
    load = LoadPersonImage()
    scale = dict(scale=backbone.img_size[::-1], interpolation='bilinear', backend='pillow')
    resize = Compose([dict(type='Resize', **scale), dict(type='PackInputs')])
    results = [load(dict(img_path=path)) for path in paths]
    images = [result['img'][..., ::-1].copy() for result in results]
    inputs = torch.stack([resize(result)['inputs'] for result in results])
    preprocessor = MODELS.build(cfg.model.data_preprocessor)
    batch = preprocessor(dict(inputs=inputs), training=False)
    attention = backbone.part_attention(batch['inputs']).numpy()
    figure = draw_part_attention(images, attention, [osp.basename(path) for path in paths])
    write_png(figure, args.out, args.dpi)
    print(f'Wrote the attention over {len(images)} images to {args.out}')


if __name__ == '__main__':
    main()

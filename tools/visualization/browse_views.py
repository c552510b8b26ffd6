"""Draw the views that pre-training sees, and where they were cut, as a contact sheet.

The sheet shows what the model gets, with the normalisation undone.
"""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec, GridSpecFromSubplotSpec
from matplotlib.patches import Rectangle
from mmengine.config import Config
from mmengine.dataset import default_collate

from passreid.apis import load_config
from passreid.datasets.transforms import part_areas
from passreid.registry import DATASETS, MODELS, TRANSFORMS, type_of
from passreid.utils import register_all_modules
from passreid.utils.config import add_config_options, apply_config_options
from passreid.visualization import write_png

AREA_COLORS = ('#d81b60', '#1e88e5', '#e6a700', '#43a047', '#8e24aa', '#6d4c41')
GLOBAL_COLORS = ('#111111', '#00897b')
ROW_INCHES = 3.6
# Of the width of the image, for each area.
BRACKET = 0.1


class ViewedImage(NamedTuple):
    """An image (H, W, 3), its views (V, h, w, 3) by kind, RGB in [0, 1], and their boxes (V, 4)."""

    image: np.ndarray
    views: dict[str, np.ndarray]
    boxes: dict[str, np.ndarray]  # Top, left, height and width.


def make_views(cfg: Config, seed: int, number: int) -> tuple[list[ViewedImage], int]:
    """Choose images of the training set and make their views; return the number of areas too."""
    pipeline = cfg.train_dataloader.dataset.pipeline
    steps = {type_of(step, TRANSFORMS).__name__: step for step in pipeline}
    if missing := {'PartAwareMultiCrop', 'PackViews'} - set(steps):
        names = ' and no '.join(sorted(missing))
        raise ValueError(f'the train pipeline of {cfg.filename} has no {names}: it makes no views')
    steps['PartAwareMultiCrop']['keep_boxes'] = True
    steps['PackViews']['meta_keys'] = ('img', 'view_boxes')
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    preprocessor = MODELS.build(cfg.model.data_preprocessor)
    np.random.seed(seed)
    torch.manual_seed(seed)
    chosen = np.random.permutation(len(dataset))[:number]
    batch = preprocessor(default_collate([dataset[int(index)] for index in chosen]), training=True)
    views = {}
    for kind in ('global_views', 'local_views'):
        pixels = ((batch['inputs'][kind] * preprocessor.std + preprocessor.mean) / 255).clamp(0, 1)
        views[kind] = pixels.permute(0, 2, 3, 1).unflatten(0, (-1, len(chosen))).numpy()
    images = []
    for index, sample in enumerate(batch['data_samples']):
        image = sample.img[..., ::-1] if preprocessor.to_rgb else sample.img
        own = {kind: pixels[:, index] for kind, pixels in views.items()}
        images.append(ViewedImage(image / 255, own, sample.view_boxes))
    return images, steps['PartAwareMultiCrop'].get('num_parts', 3)


def draw_sheet(images: list[ViewedImage], num_parts: int) -> Figure:
    """Draw one row for each image: its areas, its boxes, its global and its local views."""
    num_global, *global_size = images[0].views['global_views'].shape[:3]
    num_local, *local_size = images[0].views['local_views'].shape[:3]
    rows = num_parts or max(1, -(-num_local // 3))
    columns = -(-num_local // rows)
    image_width = min(max(viewed.image.shape[1] / viewed.image.shape[0] for viewed in images), 2)
    widths = [
        image_width * (1 + BRACKET * num_parts) + 0.03,
        image_width + 0.03,
        *[global_size[1] / global_size[0] + 0.03] * num_global,
        max(columns * (local_size[1] / local_size[0]) / rows * 1.15, 0.3),
    ]
    size = (sum(widths) * ROW_INCHES * 1.06, ROW_INCHES * len(images) + 0.4)
    figure = Figure(figsize=size, layout='constrained')
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.04, wspace=0, hspace=0)
    grid = GridSpec(len(images), len(widths), figure, width_ratios=widths)
    local_colors = [AREA_COLORS[v * num_parts // num_local % 6] for v in range(num_local)]
    for row, viewed in enumerate(images):
        cells = [figure.add_subplot(grid[row, column]) for column in range(2 + num_global)]
        draw_areas(cells[0], viewed.image, num_parts)
        show(cells[1], viewed.image)
        outline(cells[1], viewed.boxes['local_views'], local_colors, '-')
        outline(cells[1], viewed.boxes['global_views'], GLOBAL_COLORS, '--')
        for view, pixels in enumerate(viewed.views['global_views']):
            show(cells[2 + view], pixels, GLOBAL_COLORS[view % 2], '--')
        names = ['areas' if num_parts else 'image', 'crops']
        names += [f'global view {view}' for view in range(1, 1 + num_global)]
        local_grid = GridSpecFromSubplotSpec(rows, columns, grid[row, -1])
        for view, pixels in enumerate(viewed.views['local_views']):
            cell = figure.add_subplot(local_grid[divmod(view, columns)])
            show(cell, pixels, local_colors[view])
            if num_parts and view % columns == 0:
                area = f'area {view // columns + 1}'
                cell.set_ylabel(area, fontsize=9, color=local_colors[view])
            if view == columns // 2:
                cells.append(cell)
        if row == 0:
            for cell, name in zip(cells, [*names, 'local views'], strict=True):
                cell.set_title(name, fontsize=10)
    return figure


def show(cell: Axes, pixels: np.ndarray, color: str = 'none', line: str = '-') -> None:
    """Show pixels in a colored frame, without ticks."""
    cell.imshow(pixels, interpolation='bilinear')
    cell.set(xticks=[], yticks=[])
    for spine in cell.spines.values():
        spine.set(color=color, linewidth=2.2, linestyle=line)


def draw_areas(cell: Axes, image: np.ndarray, num_parts: int) -> None:
    """Show the image with a bracket beside it for each area."""
    height, width = image.shape[:2]
    show(cell, image)
    areas = part_areas(height, width, num_parts) if num_parts else []
    for area, (top, _, area_height, _) in enumerate(areas):
        color = AREA_COLORS[area % 6]
        left = width * (1 + BRACKET * (area + 0.6))
        cell.plot([left, left], [top, top + area_height - 1], color=color, linewidth=4)
        style = dict(color='white', fontsize=8, ha='center', va='center')
        box = dict(boxstyle='circle,pad=0.15', color=color)
        cell.text(left, top + area_height / 2, str(area + 1), bbox=box, **style)
    cell.set_xlim(-0.5, width * (1 + BRACKET * (num_parts + 0.2)))
    cell.set_ylim(height - 0.5, -0.5)


def outline(cell: Axes, boxes: np.ndarray, colors: list[str] | tuple[str, ...], line: str) -> None:
    """Outline boxes, each in the color of the frame of its view."""
    for view, (top, left, height, width) in enumerate(boxes):
        style = dict(edgecolor=colors[view % len(colors)], linestyle=line, lw=1.6, fill=False)
        cell.add_patch(Rectangle((left - 0.5, top - 0.5), width, height, **style))


def main() -> None:
    """Write the contact sheet."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file of a pre-training run')
    parser.add_argument('--out', type=Path, default=Path('views.png'), help='picture to write')
    parser.add_argument('-n', '--number', type=int, default=4, help='number of images')
    parser.add_argument('--seed', type=int, default=0, help='chooses images and views')
    parser.add_argument('--dpi', type=int, default=100, help='resolution of the picture')
    add_config_options(parser)
    args = parser.parse_args()
    cfg = load_config(args.config)
    apply_config_options(cfg, args)
    register_all_modules()
    images, num_parts = make_views(cfg, args.seed, args.number)
    write_png(draw_sheet(images, num_parts), args.out, args.dpi)
    print(f'Wrote the views of {len(images)} images to {args.out}')


if __name__ == '__main__':
    main()

"""A picture of what the model is given."""

from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor
from torch.nn import functional as F

from passreid.registry import HOOKS
from passreid.utils.unwrap import unwrap_model

_GAP = 4


@HOOKS.register_module()
class ViewsPictureHook(Hook):
    """Write the augmented views of some images when a run starts or goes on.

    One row an image: its global views, then its local views from the top area
    to the bottom one, enlarged to the same height. For the areas and boxes see
    ``tools/visualization/browse_views.py``.

    Args:
        filename (str): Name in the work directory. Defaults to ``'views.png'``.
        num_images (int): Rows. Defaults to 6.
        height (int): Height of a row in pixels. Defaults to 128.
    """

    def __init__(self, filename: str = 'views.png', num_images: int = 6, height: int = 128) -> None:
        self.filename = filename
        self.num_images = num_images
        self.height = height
        self._drawn = False

    @master_only
    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        """Draw the first batch."""
        if self._drawn:
            return
        self._drawn = True
        preprocessor = unwrap_model(runner.model).data_preprocessor
        kinds = {kind: views[: self.num_images] for kind, views in data_batch['inputs'].items()}
        batch = len(kinds['global_views'])
        with torch.random.fork_rng(devices=[]):
            views = preprocessor({'inputs': kinds}, training=True)['inputs']
        columns: list[Tensor] = []
        for normalized in views.values():
            pixels = (normalized * preprocessor.std + preprocessor.mean).clamp(0, 255)
            width = round(self.height * pixels.shape[3] / pixels.shape[2])
            pixels = F.interpolate(pixels, (self.height, width), mode='bilinear', antialias=True)
            framed = F.pad(pixels, (0, _GAP, 0, _GAP), value=255)
            columns += framed.unflatten(0, (-1, batch)).unbind()
        sheet = torch.cat(columns, dim=3).permute(0, 2, 3, 1).flatten(0, 1)
        rgb = sheet.round().byte().cpu().numpy()
        path = Path(runner.work_dir) / self.filename
        cv2.imencode('.png', np.ascontiguousarray(rgb[..., ::-1]))[1].tofile(path)
        runner.logger.info(f'The views of {batch} images are in {path}')

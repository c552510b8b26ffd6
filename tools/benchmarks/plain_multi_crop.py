"""The views of PASS, composed plainly of torchvision transforms on PIL images, to compare with."""

import io
import random

import torch
from PIL import Image, ImageFilter
from torchvision import transforms

NUM_PARTS, LOCAL_PER_PART = 3, 3


class PlainMultiCrop:
    """Decode an image and make all its views, with all photometric work, one after the other."""

    def __init__(self, global_size: tuple[int, int], local_size: tuple[int, int]) -> None:
        self.global_views = [
            _view(global_size, (0.4, 1.0), blur_prob=1.0, solarize_prob=0.0),
            _view(global_size, (0.4, 1.0), blur_prob=0.1, solarize_prob=0.2),
        ]
        self.local_view = _view(local_size, (0.1, 0.8), blur_prob=0.5, solarize_prob=0.0)

    def __call__(self, encoded: bytes) -> list[torch.Tensor]:
        """Make the views (3, H, W), float32, of one encoded image."""
        with Image.open(io.BytesIO(encoded)) as file:
            image = file.convert('RGB')
        views = [view(image) for view in self.global_views]
        half = image.height // 2
        for part in range(NUM_PARTS):
            top = part * image.height // (2 * (NUM_PARTS - 1))
            area = image.crop((0, top, image.width, top + half))
            views += [self.local_view(area) for _ in range(LOCAL_PER_PART)]
        return views


def _view(
    size: tuple[int, int], scale: tuple[float, float], blur_prob: float, solarize_prob: float
) -> transforms.Compose:
    """Compose the transforms of one view."""
    return transforms.Compose(
        [
            transforms.RandomResizedCrop(size, scale, interpolation=Image.Resampling.BICUBIC),
            transforms.RandomHorizontalFlip(),
            transforms.RandomApply([transforms.ColorJitter(0.4, 0.4, 0.2, 0.1)], p=0.8),
            transforms.RandomGrayscale(0.2),
            transforms.RandomApply([transforms.Lambda(_blur)], p=blur_prob),
            transforms.RandomSolarize(128, p=solarize_prob),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )


def _blur(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(random.uniform(0.1, 2.0)))

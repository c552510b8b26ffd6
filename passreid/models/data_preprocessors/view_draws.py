"""Random parameters of the photometric augmentation of one kind of view."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch

# Columns of the uniform numbers of a view.
_FLIP, _JITTER, _GRAY, _BLUR, _SOLARIZE, _SIGMA, _HUE, _HUE_POSITION = range(8)
_FACTORS, _ORDER = slice(8, 11), slice(11, 14)
_NUM_COLUMNS = 14
NOT_JITTERED = 4


@dataclass
class ViewDraws:
    """Parameters of ``N`` views, on the CPU.

    Attributes:
        flip (torch.Tensor): Whether to flip, (N,) bool.
        hue_position (torch.Tensor): Position of hue among the four operations of the colour jitter,
            (N,) int64; :data:`NOT_JITTERED` for views without jitter.
        hue (torch.Tensor): Shift of the hue in turns, (N,) float.
        blends (torch.Tensor): Order of brightness, contrast and saturation, (N, 3) int64.
        factors (torch.Tensor): Their factors, in that order, (N, 3) float.
        gray (torch.Tensor): Whether to remove the colours, (N,) bool.
        sigma (torch.Tensor): Width of the blur in pixels, (N,) float; 0 for views without blur.
        solarize (torch.Tensor): Whether to invert bright pixels, (N,) bool.
    """

    flip: torch.Tensor
    hue_position: torch.Tensor
    hue: torch.Tensor
    blends: torch.Tensor
    factors: torch.Tensor
    gray: torch.Tensor
    sigma: torch.Tensor
    solarize: torch.Tensor

    def __getitem__(self, index: torch.Tensor | slice) -> 'ViewDraws':
        return ViewDraws(*(getattr(self, field.name)[index] for field in fields(self)))

    def processing_order(self) -> torch.Tensor:
        """Indices (N,) that sort views by the position of hue, then by the width of the blur.

        Colour jitter needs the first; with the second, neighbours need kernels of equal size.
        """
        by_sigma = self.sigma.argsort(stable=True)
        return by_sigma[self.hue_position[by_sigma].argsort(stable=True)]


def draw_views(
    num_images: int,
    flip_prob: float,
    jitter_prob: float,
    jitter: tuple[float, float, float, float],
    gray_prob: float,
    blur_prob: Sequence[float],
    blur_sigma: tuple[float, float],
    solarize_prob: Sequence[float],
) -> ViewDraws:
    """Draw the parameters of all views of one kind from torch's global CPU generator.

    They are drawn on the CPU whatever the device of the images: which views take part in an
    operation is then known without waiting for the device, and a seed gives the same views on all
    devices.

    Args:
        num_images (int): Number of images B.
        flip_prob (float): Probability of a horizontal flip.
        jitter_prob (float): Probability of colour jitter.
        jitter (tuple[float, float, float, float]): Strength of brightness, contrast, saturation and
            hue: factors are uniform in ``[max(0, 1 - s), 1 + s]``, the hue shift in ``[-s, s]``.
        gray_prob (float): Probability of greyscale.
        blur_prob (Sequence[float]): Probability of blur for each of the V views of an image.
        blur_sigma (tuple[float, float]): Bounds of the width of the blur in pixels.
        solarize_prob (Sequence[float]): Probability of solarisation for each of the V views.

    Returns:
        ViewDraws: Parameters of the V * B views, all images of the first view in front.
    """
    uniform = torch.rand(len(blur_prob) * num_images, _NUM_COLUMNS)
    jittered = uniform[:, _JITTER] < jitter_prob
    blurred = uniform[:, _BLUR] < torch.tensor(blur_prob).repeat_interleave(num_images)
    solarized = uniform[:, _SOLARIZE] < torch.tensor(solarize_prob).repeat_interleave(num_images)
    strength = torch.tensor(jitter[:3])
    lowest = (1 - strength).clamp(min=0)
    factors = lowest + (1 + strength - lowest) * uniform[:, _FACTORS]
    blends = uniform[:, _ORDER].argsort(1)
    hue_position = (4 * uniform[:, _HUE_POSITION]).long().clamp(max=3)
    sigma = blur_sigma[0] + (blur_sigma[1] - blur_sigma[0]) * uniform[:, _SIGMA]
    return ViewDraws(
        flip=uniform[:, _FLIP] < flip_prob,
        hue_position=hue_position.where(jittered, NOT_JITTERED),
        hue=(2 * uniform[:, _HUE] - 1) * jitter[3],
        blends=blends,
        factors=factors.gather(1, blends),
        gray=uniform[:, _GRAY] < gray_prob,
        sigma=sigma.where(blurred, 0),
        solarize=solarized,
    )

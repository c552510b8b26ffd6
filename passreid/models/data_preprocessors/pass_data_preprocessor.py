"""Data preprocessor of PASS."""

from collections.abc import Sequence

import torch
from mmpretrain.models import ClsDataPreprocessor

from passreid.registry import MODELS

from .view_augmentation import NOT_JITTERED, ViewDraws, augment_views

_IMAGENET_MEAN = (123.675, 116.28, 103.53)
_IMAGENET_STD = (58.395, 57.12, 57.375)
# Columns of the uniform numbers of a view.
_FLIP, _JITTER, _GRAY, _BLUR, _SOLARIZE, _SIGMA, _HUE, _HUE_POSITION = range(8)
_FACTORS, _ORDER = slice(8, 11), slice(11, 14)
_NUM_COLUMNS = 14


@MODELS.register_module()
class PASSDataPreprocessor(ClsDataPreprocessor):
    """Augment and normalise the views of PASS on the model's device, batched.

    In training it takes what :class:`~passreid.datasets.transforms.PartAwareMultiCrop` and
    ``PackViews`` give, collated by ``default_collate``, and applies to each view by itself, in this
    order: horizontal flip, colour jitter in random order, greyscale, Gaussian blur, solarisation,
    normalisation. Parameters come from torch's global CPU generator (see :meth:`draw`).
    Otherwise views are normalised only, and plain batches of images, stacked or listed, are
    handled by :class:`mmpretrain.models.ClsDataPreprocessor`.

    Args:
        mean (Sequence[float]): Mean of the R, G, B channels in [0, 255]. Defaults to ImageNet's.
        std (Sequence[float]): Standard deviation of the R, G, B channels. Defaults to ImageNet's.
        to_rgb (bool): Whether images come as BGR.
        flip_prob (float): Probability of a horizontal flip.
        jitter_prob (float): Probability of colour jitter.
        brightness (float): Strength of brightness jitter: factors in ``[max(0, 1 - s), 1 + s]``.
        contrast (float): Strength of contrast jitter, likewise.
        saturation (float): Strength of saturation jitter, likewise.
        hue (float): Largest shift of the hue, in turns of the colour circle, at most 0.5.
        gray_prob (float): Probability of greyscale.
        blur_sigma (tuple[float, float]): Bounds of the standard deviation of the blur in pixels.
        global_blur_prob (float | Sequence[float]): Probability of blur for each global view of an
            image, or for all.
        local_blur_prob (float | Sequence[float]): The same for local views.
        global_solarize_prob (float | Sequence[float]): Probability of solarisation for each global
            view of an image, or for all.
        local_solarize_prob (float | Sequence[float]): The same for local views.
        solarize_threshold (float): Values in [0, 255] from here on are inverted.
        non_blocking (bool): Whether to copy to the device while the host goes on.
        **kwargs: Further arguments of :class:`mmpretrain.models.ClsDataPreprocessor`.

    Examples:
        >>> import torch
        >>> from passreid.models import PASSDataPreprocessor
        >>> views = dict(
        ...     global_views=torch.zeros(4, 2, 64, 32, 3, dtype=torch.uint8),
        ...     local_views=torch.zeros(4, 3, 32, 32, 3, dtype=torch.uint8),
        ... )
        >>> inputs = PASSDataPreprocessor()(dict(inputs=views), training=True)['inputs']
        >>> inputs['global_views'].shape, inputs['local_views'].shape
        (torch.Size([8, 3, 64, 32]), torch.Size([12, 3, 32, 32]))
    """

    def __init__(
        self,
        mean: Sequence[float] = _IMAGENET_MEAN,
        std: Sequence[float] = _IMAGENET_STD,
        to_rgb: bool = True,
        flip_prob: float = 0.5,
        jitter_prob: float = 0.8,
        brightness: float = 0.4,
        contrast: float = 0.4,
        saturation: float = 0.2,
        hue: float = 0.1,
        gray_prob: float = 0.2,
        blur_sigma: tuple[float, float] = (0.1, 2.0),
        global_blur_prob: float | Sequence[float] = (1.0, 0.1),
        local_blur_prob: float | Sequence[float] = 0.5,
        global_solarize_prob: float | Sequence[float] = (0.0, 0.2),
        local_solarize_prob: float | Sequence[float] = 0.0,
        solarize_threshold: float = 128,
        non_blocking: bool = True,
        **kwargs,
    ) -> None:
        super().__init__(mean=mean, std=std, to_rgb=to_rgb, **kwargs)
        self._non_blocking = non_blocking
        self.flip_prob = flip_prob
        self.jitter_prob = jitter_prob
        self.jitter = (brightness, contrast, saturation, hue)
        self.gray_prob = gray_prob
        self.blur_sigma = blur_sigma
        self.blur_prob = {'global_views': global_blur_prob, 'local_views': local_blur_prob}
        self.solarize_prob = {
            'global_views': global_solarize_prob,
            'local_views': local_solarize_prob,
        }
        self.solarize_threshold = solarize_threshold

    def forward(self, data: dict, training: bool = False) -> dict:
        """Prepare a batch of views, or, unless training, a plain batch of images.

        ``inputs`` is a dict of ``global_views`` (B, num_global, H, W, 3) and ``local_views`` (B,
        num_local, h, w, 3), uint8. They become normalised float32 RGB, (num_global * B, 3, H, W)
        and (num_local * B, 3, h, w), all images of the first view in front; local views keep the
        order of their areas. ``masks`` (B, num_global, h, w) of patches, if there are any, become
        (num_global * B, h, w) and stay where they are, so that what is masked is known on the CPU.
        """
        inputs = data['inputs']
        if not isinstance(inputs, dict):
            if training:
                raise TypeError(
                    'PASS trains on a dict of global_views and local_views, got '
                    f'{type(inputs).__name__}: end the train pipeline with PartAwareMultiCrop and '
                    "PackViews and set collate_fn=dict(type='default_collate')"
                )
            return super().forward(data, training)
        views = {
            kind: augment_views(
                views=self.cast_data(batch),
                draws=self.draw(kind, *batch.shape[:2]) if training else None,
                mean=self.mean,
                std=self.std,
                to_rgb=self.to_rgb,
                solarize_threshold=self.solarize_threshold,
            )
            for kind, batch in inputs.items()
            if kind != 'masks'
        }
        if 'masks' in inputs:
            # Not flipped with the views: a mask is as likely as its mirror image.
            views['masks'] = inputs['masks'].transpose(0, 1).flatten(0, 1)
        return {'inputs': views, 'data_samples': data.get('data_samples')}

    def draw(self, kind: str, num_images: int, num_views: int) -> ViewDraws:
        """Draw the parameters of V * B views of one kind, all images of the first view in front.

        They are drawn from torch's global CPU generator whatever the device of the images: which
        views take part in an operation is then known without waiting for the device, and a seed
        gives the same views on all devices.
        """
        blur_prob, solarize_prob = (
            torch.tensor(_per_view(f'{kind} {name}', probs[kind], num_views)).repeat_interleave(
                num_images
            )
            for name, probs in (('blur', self.blur_prob), ('solarize', self.solarize_prob))
        )
        uniform = torch.rand(num_views * num_images, _NUM_COLUMNS)
        jittered = uniform[:, _JITTER] < self.jitter_prob
        strength = torch.tensor(self.jitter[:3])
        lowest = (1 - strength).clamp(min=0)
        factors = lowest + (1 + strength - lowest) * uniform[:, _FACTORS]
        blends = uniform[:, _ORDER].argsort(1)
        hue_position = (4 * uniform[:, _HUE_POSITION]).long().clamp(max=3)
        low, high = self.blur_sigma
        sigma = low + (high - low) * uniform[:, _SIGMA]
        return ViewDraws(
            flip=uniform[:, _FLIP] < self.flip_prob,
            hue_position=hue_position.where(jittered, NOT_JITTERED),
            hue=(2 * uniform[:, _HUE] - 1) * self.jitter[3],
            blends=blends,
            factors=factors.gather(1, blends),
            gray=uniform[:, _GRAY] < self.gray_prob,
            sigma=sigma.where(uniform[:, _BLUR] < blur_prob, 0),
            solarize=uniform[:, _SOLARIZE] < solarize_prob,
        )


def _per_view(kind: str, prob: float | Sequence[float], num_views: int) -> list[float]:
    """Repeat a probability for each view, or check that there is one for each."""
    probs = list(prob) if isinstance(prob, Sequence) else [prob] * num_views
    if len(probs) != num_views:
        raise ValueError(f'{len(probs)} probabilities for {num_views} {kind} of an image')
    return probs

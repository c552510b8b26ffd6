"""Measurement of what the [PART] tokens have learned."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from passreid.registry import HOOKS
from passreid.utils.unwrap import unwrap_model


@HOOKS.register_module()
class PartSeparationHook(Hook):
    """Log how far the [PART] tokens differ from [CLS] and where they look.

    On the global views of the current batch, without augmentation: the centred
    cosine of each [PART] to [CLS], and the height of the centre of each token's
    attention (0 is the top edge, 1 the bottom). The model offers
    ``part_separation(views)``.

    Args:
        interval (int): Iterations between measurements. Defaults to 50.
        max_images (int): Views that are looked at. Defaults to 128.
    """

    def __init__(self, interval: int = 50, max_images: int = 128) -> None:
        self.interval = interval
        self.max_images = max_images

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, **kwargs) -> None:
        """Measure and log at each interval."""
        model = unwrap_model(runner.model)
        if not self.every_n_train_iters(runner, self.interval) or not model.backbone.num_parts:
            return
        views = model.data_preprocessor(data_batch, training=False)['inputs']['global_views']
        for name, value in model.part_separation(views[: self.max_images]).items():
            runner.message_hub.update_scalar(f'train/{name}', value)

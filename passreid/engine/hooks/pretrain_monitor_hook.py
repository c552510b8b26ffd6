"""What the teacher and its [PART] tokens have learned, while it is pre-trained."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from passreid.registry import HOOKS
from passreid.utils.distributed import unwrap_model


@HOOKS.register_module()
class PretrainMonitorHook(Hook):
    """Log how far the [PART] tokens differ from [CLS] and where they look; warn of a collapse.

    On the global views of the current batch, without augmentation: the centered
    cosine of each [PART] to [CLS], and the height of the center of each token's
    attention (0 is the top edge, 1 the bottom). The model offers
    ``part_separation(views)``.

    It warns when all images get the same prototypes or all prototypes the same
    share (the information between an image and its assignment is near 0 for some
    token), and when each [PART] token equals [CLS] but for a constant.

    Args:
        interval (int): Iterations between measurements. Defaults to 50.
        max_images (int): Views that are looked at. Defaults to 128.
        warmup (int): Iterations before the first warning: early in a run both are
            normal. Defaults to 500.
        min_information (float): In nats; below is a collapse. Defaults to 0.1.
        max_part_cosine (float): Centered cosine of every [PART] to [CLS] above
            which the parts count as collapsed. Defaults to 0.98.
    """

    # After the hook that notes the losses, before the logger.
    priority = 'LOW'

    def __init__(
        self,
        interval: int = 50,
        max_images: int = 128,
        warmup: int = 500,
        min_information: float = 0.1,
        max_part_cosine: float = 0.98,
    ) -> None:
        self.interval = interval
        self.max_images = max_images
        self.warmup = warmup
        self.min_information = min_information
        self.max_part_cosine = max_part_cosine

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, **kwargs) -> None:
        """Measure, log and judge at each interval."""
        if not self.every_n_train_iters(runner, self.interval):
            return
        model, hub = unwrap_model(runner.model), runner.message_hub
        cosines = []
        if model.backbone.num_parts:
            views = model.data_preprocessor(data_batch, training=False)['inputs']['global_views']
            for name, value in model.part_separation(views[: self.max_images]).items():
                hub.update_scalar(f'train/{name}', value)
                if name.startswith('part_cosine_'):
                    cosines.append(float(value))
        if runner.iter < self.warmup:
            return
        information = hub.get_scalar('train/teacher_information').mean(self.interval)
        if information < self.min_information:
            runner.logger.warning(
                f'Collapse: assignments carry {information:.3f} nats about the image (healthy: '
                'about 2 or more). Lower the learning rate or the teacher temperature, raise '
                'the batch size, or check that images are not all alike.'
            )
        if cosines and min(cosines) > self.max_part_cosine:
            runner.logger.warning(
                'Collapse of the parts: the centered cosine of each [PART] token to [CLS] is '
                f'above {min(cosines):.3f}; the parts say nothing that [CLS] does not.'
            )

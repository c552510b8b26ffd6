"""Warning of collapse."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from passreid.registry import HOOKS


@HOOKS.register_module()
class CollapseHook(Hook):
    """Warn when the teacher, or its parts, tell nothing apart any more.

    Whole: the information between an image and its assignment (entropy of the
    mean assignment minus mean entropy) is near 0 for some token: all images get
    the same prototypes, or all prototypes the same share. Parts: each [PART]
    token equals [CLS] but for a constant.

    Args:
        interval (int): Iterations between looks. Defaults to 50.
        warmup (int): Iterations before the first look: early in a run both are
            normal. Defaults to 500.
        min_information (float): In nats; below is collapse. Defaults to 0.1.
        max_part_cosine (float): Centred cosine of every [PART] to [CLS] above
            which the parts count as collapsed. Defaults to 0.98.
    """

    # After the hooks that measure, before the logger.
    priority = 'LOW'

    def __init__(
        self,
        interval: int = 50,
        warmup: int = 500,
        min_information: float = 0.1,
        max_part_cosine: float = 0.98,
    ) -> None:
        self.interval = interval
        self.warmup = warmup
        self.min_information = min_information
        self.max_part_cosine = max_part_cosine

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Look at the logged figures at each interval."""
        if runner.iter < self.warmup or not self.every_n_train_iters(runner, self.interval):
            return
        scalars = runner.message_hub.log_scalars
        information = scalars['train/teacher_information'].mean(self.interval)
        if information < self.min_information:
            runner.logger.warning(
                f'Collapse: assignments carry {information:.3f} nats about the image (healthy: '
                'about 2 or more). Lower the learning rate or the teacher temperature, raise '
                'the batch size, or check that images are not all alike.'
            )
        names = [name for name in scalars if name.startswith('train/part_cosine_')]
        cosines = [scalars[name].current() for name in names]
        if cosines and min(cosines) > self.max_part_cosine:
            runner.logger.warning(
                'Collapse of the parts: the centred cosine of each [PART] token to [CLS] is '
                f'above {min(cosines):.3f}; the parts say nothing that [CLS] does not.'
            )

"""Movement of the teacher."""

from math import cos, pi

from mmengine.hooks import Hook
from mmengine.runner import Runner

from passreid.registry import HOOKS
from passreid.utils.distributed import unwrap_model


@HOOKS.register_module()
class TeacherHook(Hook):
    """Move the teacher after each optimiser step.

    The momentum follows a cosine over the iterations. The model offers
    ``set_epoch(epoch)`` and ``update_teacher(momentum)``.

    Source: `DINO <https://arxiv.org/abs/2104.14294>`_, section 3.1.

    Args:
        base_momentum (float): Momentum of the first iteration. Defaults to 0.996.
        end_momentum (float): What the cosine goes to. Defaults to 1.
    """

    def __init__(self, base_momentum: float = 0.996, end_momentum: float = 1.0) -> None:
        self.base_momentum = base_momentum
        self.end_momentum = end_momentum

    def momentum(self, iteration: int, num_iterations: int) -> float:
        """Momentum of an iteration (from 0)."""
        share = (1 + cos(pi * iteration / num_iterations)) / 2
        return self.end_momentum + (self.base_momentum - self.end_momentum) * share

    def before_train_epoch(self, runner: Runner) -> None:
        """Tell the model the epoch, which sets the teacher's temperature."""
        unwrap_model(runner.model).set_epoch(runner.epoch)

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Move teacher and centres if the optimiser made a step."""
        if not runner.optim_wrapper.should_update():
            return
        momentum = self.momentum(runner.iter, runner.max_iters)
        unwrap_model(runner.model).update_teacher(momentum)
        runner.message_hub.update_scalar('train/teacher_momentum', momentum)

"""Self-distillation: the movement of the teacher, its export, and prototypes that rest."""

from math import cos, pi
from pathlib import Path

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from passreid.registry import HOOKS
from passreid.utils.atomic_file import save_atomically
from passreid.utils.unwrap import unwrap_model


@HOOKS.register_module()
class TeacherHook(Hook):
    """Move the teacher after each optimizer step.

    The momentum follows a cosine over the iterations. The model offers ``set_epoch(epoch)`` and
    ``update_teacher(momentum)``.

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
        """Move teacher and centers if the optimizer made a step."""
        if not runner.optim_wrapper.should_update():
            return
        momentum = self.momentum(runner.iter, runner.max_iters)
        unwrap_model(runner.model).update_teacher(momentum)
        runner.message_hub.update_scalar('train/teacher_momentum', momentum)


@HOOKS.register_module()
class FreezePrototypesHook(Hook):
    """Give the prototypes no gradient during the first epochs.

    The optimizer wrapper offers ``skip(parameters)``, the model ``prototype_parameters()``.

    Args:
        epochs (int): Number of epochs. Defaults to 1.
    """

    def __init__(self, epochs: int = 1) -> None:
        self.epochs = epochs

    def before_train_epoch(self, runner: Runner) -> None:
        """Choose what the optimizer leaves out in this epoch."""
        frozen = runner.epoch < self.epochs
        parameters = unwrap_model(runner.model).prototype_parameters() if frozen else ()
        runner.optim_wrapper.skip(parameters)


@HOOKS.register_module()
class ExportTeacherHook(Hook):
    """Write the teacher's backbone after training, for fine-tuning.

    The file holds ``state_dict`` under the names of the backbone, and in ``meta`` the grid of its
    positions. It loads with ``init_cfg=dict(type='Pretrained', checkpoint=...)``.

    Args:
        filename (str): Name in the work directory. Defaults to ``'teacher_backbone.pth'``.
    """

    def __init__(self, filename: str = 'teacher_backbone.pth') -> None:
        self.filename = filename

    @master_only
    def after_train(self, runner: Runner) -> None:
        """Write the file; a reader never sees half of it.

        Raises:
            NotSavedError: When it cannot be written. A resumed run tries again.
        """
        backbone = unwrap_model(runner.model).teacher['backbone']
        weights = {name: value.cpu() for name, value in backbone.state_dict().items()}
        meta = {'epoch': runner.epoch, 'pos_embed_grid': tuple(backbone.patch_resolution)}
        path = Path(runner.work_dir) / self.filename
        save_atomically({'state_dict': weights, 'meta': meta}, path)
        runner.logger.info(f"The teacher's backbone is in {path}")

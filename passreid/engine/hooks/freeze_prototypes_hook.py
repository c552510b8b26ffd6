"""Rest for the prototypes at the beginning."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from passreid.registry import HOOKS
from passreid.utils.distributed import unwrap_model


@HOOKS.register_module()
class FreezePrototypesHook(Hook):
    """Give the prototypes no gradient during the first epochs.

    The optimiser wrapper offers ``skip(parameters)``, the model
    ``prototype_parameters()``.

    Args:
        epochs (int): Number of epochs. Defaults to 1.
    """

    def __init__(self, epochs: int = 1) -> None:
        self.epochs = epochs

    def before_train_epoch(self, runner: Runner) -> None:
        """Choose what the optimiser leaves out in this epoch."""
        frozen = runner.epoch < self.epochs
        parameters = unwrap_model(runner.model).prototype_parameters() if frozen else ()
        runner.optim_wrapper.skip(parameters)

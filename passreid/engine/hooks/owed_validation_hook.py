"""The validation that a run was killed in."""

import torch
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from passreid.registry import HOOKS

# Where the message hub, and with it each checkpoint, keeps the last epoch that was validated.
_VALIDATED = 'validated_epoch'


@HOOKS.register_module()
class OwedValidationHook(Hook):
    """Validate before training when a run is resumed from the end of an epoch.

    The checkpoint of an epoch is written before its validation. A run that is killed in between
    would never be validated on it: figures would be missing, those of the last epoch for good, and
    ``save_best`` might miss the best weights. Whether the validation had come to its end the
    checkpoint cannot tell, so it may be the second one, with the same figures.
    """

    # After the hooks that prepare checkpoints and the log.
    priority = 'LOWEST'

    def before_train(self, runner: Runner) -> None:
        """Validate the epoch that the checkpoint ends with, if that is due.

        Args:
            runner (Runner): The runner.
        """
        loop = runner.train_loop
        if runner.val_loop is None or not isinstance(loop, EpochBasedTrainLoop):
            return
        loop._decide_current_val_interval()
        epoch = runner.epoch
        due = epoch % loop.val_interval == 0 or epoch == loop.max_epochs
        at_its_end = runner.iter == epoch * len(loop.dataloader)
        validated = runner.message_hub.runtime_info.get(_VALIDATED)
        if epoch and due and at_its_end and epoch >= loop.val_begin and validated != epoch:
            runner.logger.info(f'Validation of epoch {epoch}, whose checkpoint is resumed')
            # The order of loading draws from the generator that training goes on with.
            with torch.random.fork_rng(devices=[]):
                runner.val_loop.run()

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Note that the epoch was validated, for checkpoints of the next one.

        Args:
            runner (Runner): The runner.
            metrics (dict[str, float], optional): Not used.
        """
        runner.message_hub.update_info(_VALIDATED, runner.epoch)

"""Checkpoints under other names."""

from collections.abc import Callable, Mapping

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from passreid.registry import HOOKS
from passreid.utils.unwrap import unwrap_model


@HOOKS.register_module()
class ConvertCheckpointHook(Hook):
    """Rename the weights of a checkpoint before they are loaded.

    Args:
        convert (Callable): Takes the content of the file and the names of the model's
            tensors; returns the weights under the model's names and a sentence that says what
            was recognised, or None when the file needs no conversion.
    """

    # Before the hook that counts what was loaded.
    priority = 'HIGHEST'

    def __init__(
        self,
        convert: Callable[[Mapping, set[str]], tuple[dict[str, Tensor], str] | None],
    ) -> None:
        self.convert = convert

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Replace the weights of the checkpoint.

        Args:
            runner (Runner): The runner.
            checkpoint (dict): The content of the file; changed in place.
        """
        converted = self.convert(checkpoint, set(unwrap_model(runner.model).state_dict()))
        if converted is None:
            return
        weights, recognised = converted
        runner.logger.info(recognised)
        checkpoint.clear()
        checkpoint['state_dict'] = weights

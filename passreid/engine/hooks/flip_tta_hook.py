"""Test-time augmentation by mirror images."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from passreid.registry import HOOKS, MODELS
from passreid.utils.distributed import unwrap_model


@HOOKS.register_module()
class FlipTTAHook(Hook):
    """Test with ``FlipTTAModel`` around the model, once its weights are loaded."""

    def before_test(self, runner: Runner) -> None:
        """Wrap the model before the first of the test sets."""
        kind = MODELS.get('FlipTTAModel')
        if not isinstance(runner.model, kind):
            runner.model = kind(module=unwrap_model(runner.model))

"""The runner of every run of this package."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from mmengine.runner import Runner
from torch import nn

from passreid.registry import RUNNERS
from passreid.utils.config_mistakes import explained_mistakes


@RUNNERS.register_module()
class SafeRunner(Runner):
    """A Runner that says what went wrong, in words that help to mend it.

    Args:
        *args: Of :class:`mmengine.runner.Runner`.
        **kwargs: The same.
    """

    def train(self) -> nn.Module:
        """Train; see :meth:`mmengine.runner.Runner.train`."""
        with self._explained_failures():
            return super().train()

    def val(self) -> dict:
        """Validate; see :meth:`mmengine.runner.Runner.val`."""
        with self._explained_failures():
            return super().val()

    def test(self) -> dict:
        """Test; see :meth:`mmengine.runner.Runner.test`."""
        with self._explained_failures():
            return super().test()

    def save_checkpoint(self, *args, **kwargs) -> None:
        """Save a checkpoint; see mmengine. All processes must call this, the first one writes."""
        self.call_hook('before_save_checkpoint_in_all')
        super().save_checkpoint(*args, **kwargs)

    @contextmanager
    def _explained_failures(self) -> Iterator[None]:
        """Add to errors of the loops what the user needs to know."""
        with ExitStack() as stack:
            stack.enter_context(explained_mistakes(self.cfg))
            yield

"""A word on the schedules of a resumed run whose length was changed."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from passreid.registry import HOOKS


@HOOKS.register_module()
class ResumeNoticeHook(Hook):
    """Warn when a run is resumed for longer or shorter than it was started for.

    Schedules are resumed with their state, and that holds their ends (``end``, ``T_max``):
    the learning rate follows the first plan and stays where that one ends.
    """

    # Before RuntimeInfoHook replaces the length that came with the checkpoint.
    priority = 'HIGHEST'

    def before_train(self, runner: Runner) -> None:
        """Compare the length of this run with that of the checkpoint.

        Args:
            runner (Runner): The runner.
        """
        if runner.iter == 0 or not runner.param_schedulers:
            return
        planned = runner.message_hub.runtime_info.get('max_iters')
        if planned is not None and planned != runner.max_iters:
            runner.logger.warning(
                f'This run goes to iteration {runner.max_iters}, the one it resumes was planned '
                f'to {planned}. Schedules keep the ends of the first plan: for a new plan, start '
                'from the weights instead (load_from=..., resume=False).'
            )

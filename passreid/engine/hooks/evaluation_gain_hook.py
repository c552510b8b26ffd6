"""How much training improves the figures of a validation."""

from collections.abc import Mapping, Sequence

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from passreid.registry import HOOKS

# Where the message hub, and with it each checkpoint, keeps the figures of the starting weights.
_BEFORE, _AFTER = 'figures_before_training', 'figures_after_training'


@HOOKS.register_module()
class EvaluationGainHook(Hook):
    """Validate the weights that training starts from, and report at its end what it gained.

    A fresh run is validated once before its first epoch, as after any epoch: it is logged as
    epoch 0, and ``save_best`` counts it. A resumed run takes the figures from its checkpoint.
    With each later validation ``gain/NAME`` goes to the backends of the visualizer; the log ends
    with a table. Without validation data there is nothing to measure, and the log says so.

    Args:
        figures (Sequence[str]): Which figures of the validation, in percent.
            Defaults to mAP, Rank-1 and mINP of :class:`ReIDMetric`.
    """

    # After the hooks that prepare the model, the log and the checkpoints for a validation.
    priority = 'LOWEST'

    def __init__(self, figures: Sequence[str] = ('reid/mAP', 'reid/R1', 'reid/mINP')) -> None:
        self.figures = tuple(figures)

    def before_train(self, runner: Runner) -> None:
        """Validate the starting weights of a fresh run.

        Raises:
            ValueError: When the validation does not give all of the figures.
        """
        if runner.val_loop is None:
            runner.logger.info('There are no validation data to measure the gain of training on.')
        elif runner.iter == 0:
            runner.logger.info('Validation of the weights that training starts from')
            # The order of loading draws from the generator that training goes on with.
            with torch.random.fork_rng(devices=[]):
                metrics = runner.val_loop.run()
            runner.message_hub.update_info(_BEFORE, self._select(metrics))

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Compare with the starting weights."""
        before = runner.message_hub.runtime_info.get(_BEFORE)
        if before is None or not metrics:
            return
        after = self._select(metrics)
        runner.message_hub.update_info(_AFTER, after)
        gains = {f'gain/{name}': after[name] - before[name] for name in self.figures}
        runner.visualizer.add_scalars(gains, step=runner.epoch)

    def after_train(self, runner: Runner) -> None:
        """Log the table of figures in percent and their differences in percentage points."""
        before, after = (runner.message_hub.runtime_info.get(key) for key in (_BEFORE, _AFTER))
        if not before or not after:
            return
        width = max(map(len, before))
        lines = ['Gain of training over the weights it started from, in percentage points']
        lines.append(f'{"figure":<{width}}{"before":>9}{"after":>9}{"gain":>9}')
        for name, old in before.items():
            new = after[name]
            lines.append(f'{name:<{width}}{old:>9.1f}{new:>9.1f}{new - old:>+9.1f}')
        runner.logger.info('\n'.join(lines))

    def _select(self, metrics: Mapping[str, float]) -> dict[str, float]:
        if missing := [name for name in self.figures if name not in metrics]:
            raise ValueError(
                f'EvaluationGainHook: the validation gives no {", ".join(missing)}; it gives '
                f'{", ".join(metrics)}. Name them in figures=[...]'
            )
        return {name: float(metrics[name]) for name in self.figures}

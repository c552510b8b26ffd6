"""Hooks of evaluation: what training gains, and tests with mirror images."""

from collections.abc import Mapping, Sequence

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from passreid.registry import HOOKS, MODELS
from passreid.utils.distributed import unwrap_model


@HOOKS.register_module()
class EvaluationGainHook(Hook):
    """Validate the weights that training starts from, and report what it gains.

    A fresh run is validated as epoch 0; a resumed run has those figures in its checkpoint. Each
    later validation gives ``gain/NAME`` of all ``figures``, and a table in the log.
    """

    # After the hooks that prepare the model, the log and the checkpoints for a validation.
    priority = 'LOWEST'

    def __init__(self, figures: Sequence[str] = ('reid/mAP', 'reid/R1', 'reid/mINP')) -> None:
        self.figures = tuple(figures)

    def before_train(self, runner: Runner) -> None:
        """Validate the starting weights of a fresh run."""
        if runner.val_loop is not None and runner.iter == 0:
            runner.logger.info('Validation of the weights that training starts from')
            # The order of loading draws from the generator that training goes on with.
            with torch.random.fork_rng(devices=[]):
                metrics = runner.val_loop.run()
            runner.message_hub.update_info('figures_before_training', self._select(metrics))

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Log figures in percent and what they gained in percentage points."""
        before = runner.message_hub.runtime_info.get('figures_before_training')
        if before is None or not metrics:
            return
        width = max(map(len, self.figures))
        lines = ['Gain of training over the weights it started from, in percentage points']
        lines.append(f'{"figure":<{width}}{"before":>9}{"after":>9}{"gain":>9}')
        gains = {}
        for name, new in self._select(metrics).items():
            old, gain = before[name], new - before[name]
            gains[f'gain/{name}'] = gain
            lines.append(f'{name:<{width}}{old:>9.1f}{new:>9.1f}{gain:>+9.1f}')
        runner.visualizer.add_scalars(gains, step=runner.epoch)
        runner.logger.info('\n'.join(lines))

    def _select(self, metrics: Mapping[str, float]) -> dict[str, float]:
        if missing := [name for name in self.figures if name not in metrics]:
            raise ValueError(
                f'The validation gives {", ".join(metrics)} but not {", ".join(missing)}: change '
                'figures=[...] of EvaluationGainHook'
            )
        return {name: float(metrics[name]) for name in self.figures}


@HOOKS.register_module()
class FlipTTAHook(Hook):
    """Test with ``FlipTTAModel`` around the model, once its weights are loaded."""

    def before_test(self, runner: Runner) -> None:
        """Wrap the model before the first of the test sets."""
        kind = MODELS.get('FlipTTAModel')
        if not isinstance(runner.model, kind):
            runner.model = kind(module=unwrap_model(runner.model))

"""Testing on several data sets in one run."""

import copy
from collections.abc import Sequence
from typing import Any

from mmengine.runner import BaseLoop, Runner, TestLoop

from passreid.registry import LOOPS


@LOOPS.register_module()
class MultiTestLoop(BaseLoop):
    """Test one model on several sets, one after the other.

    Figures carry the name of their set in front: ``msmt17/reid/mAP``.

    Args:
        runner (Runner): The runner.
        dataloader (Sequence[DataLoader | dict]): Data loaders or their configs.
        evaluator (Evaluator | dict | Sequence): One for each set, or one config for all.
        names (Sequence[str]): What the sets are called, each once.
        **kwargs: Of :class:`mmengine.runner.TestLoop`, such as ``fp16``.

    Raises:
        ValueError: When there are not as many names, or evaluators, as data loaders.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: Sequence[Any],
        evaluator: Any,
        names: Sequence[str],
        **kwargs,
    ) -> None:
        if not isinstance(dataloader, list | tuple):
            raise ValueError('MultiTestLoop needs a list of data loaders in test_dataloader')
        evaluators = (
            list(evaluator)
            if isinstance(evaluator, list | tuple)
            else [copy.deepcopy(evaluator) for _ in dataloader]
        )
        if not len(set(names)) == len(names) == len(dataloader) == len(evaluators):
            raise ValueError(
                f'{len(dataloader)} data loaders, {len(evaluators)} evaluators and the names '
                f'{list(names)}: there must be one of each for each test set'
            )
        self.loops = {
            name: TestLoop(runner, loader, one, **kwargs)
            for name, loader, one in zip(names, dataloader, evaluators, strict=True)
        }
        for name, loop in self.loops.items():
            for metric in loop.evaluator.metrics:
                metric.prefix = '/'.join(filter(None, (name, metric.prefix)))
        super().__init__(runner, next(iter(self.loops.values())).dataloader)

    def run(self) -> dict[str, float]:
        """Test on every set.

        Returns:
            dict[str, float]: The figures of all sets.
        """
        figures: dict[str, float] = {}
        for name, loop in self.loops.items():
            self.runner.logger.info(f'Test set {name}')
            # The log counts the batches of this loader.
            self.dataloader = loop.dataloader
            figures.update(loop.run())
        return figures

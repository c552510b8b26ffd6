"""A report of what a checkpoint gave a model."""

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from passreid.registry import HOOKS
from passreid.utils.unwrap import unwrap_model


@HOOKS.register_module()
class LoadReportHook(Hook):
    """Say which tensors of the model a checkpoint filled, and fail when it filled none.

    mmengine loads what fits and logs the rest in one long line, so that a run with a
    misnamed checkpoint trains from scratch without a word. A tensor counts as loaded when
    it was written to, which also holds where the model renames or resizes what it loads. A
    module can name weights that it does without in ``unneeded_keys``: a head without classifier
    takes no notice of that of the file, which is no mismatch.

    Args:
        max_names (int): Names shown for each kind of mismatch. Defaults to 5.
    """

    # Before any hook that writes to the model itself, such as a copy to a teacher.
    priority = 'HIGHEST'

    def __init__(self, max_names: int = 5) -> None:
        self.max_names = max_names
        self._versions: dict[str, int] | None = None
        self._file_shapes: dict[str, tuple[int, ...]] = {}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember the state of the model before mmengine fills it.

        Args:
            runner (Runner): The runner.
            checkpoint (dict): The loaded checkpoint. Weights that the model does without and has no
                place for are taken out: mmengine would complain of them.
        """
        weights = checkpoint.get('state_dict', checkpoint)
        tensors = _tensors(runner)
        for name in _unneeded_names(runner) - tensors.keys():
            for key in (name, f'module.{name}'):
                weights.pop(key, None)
        self._file_shapes = {
            name.removeprefix('module.'): tuple(value.shape)
            for name, value in weights.items()
            if isinstance(value, torch.Tensor) and not name.endswith('num_batches_tracked')
        }
        self._versions = {name: value._version for name, value in tensors.items()}

    def before_train(self, runner: Runner) -> None:
        """Report before training begins; see :meth:`report`."""
        self.report(runner)

    def before_val(self, runner: Runner) -> None:
        """Report before a validation on its own; see :meth:`report`."""
        self.report(runner)

    def before_test(self, runner: Runner) -> None:
        """Report before a test; see :meth:`report`."""
        self.report(runner)

    def report(self, runner: Runner) -> None:
        """Log the outcome of the last load, once.

        Args:
            runner (Runner): The runner.

        Raises:
            RuntimeError: When no parameter was loaded.
        """
        if self._versions is None:
            return
        before, self._versions = self._versions, None
        tensors = _tensors(runner)
        loaded = {name for name, value in tensors.items() if value._version > before[name]}
        others = {name: tensors[name].shape for name in tensors if name not in loaded}
        mismatched = [
            f'{name} file {self._file_shapes[name]} model {tuple(shape)}'
            for name, shape in others.items()
            if name in self._file_shapes
        ]
        expected = self._file_shapes.keys() | _unneeded_names(runner)
        missing = [name for name in others if name not in expected]
        unused = [name for name in self._file_shapes if name not in tensors]
        lines = [
            f'Checkpoint: {len(loaded)} of {len(tensors)} tensors of the model loaded',
            self._line('missing in the file', missing),
            self._line('shape mismatch', mismatched),
            self._line('unused of the file', unused),
        ]
        text = '\n'.join(line for line in lines if line)
        if not any(isinstance(tensors[name], torch.nn.Parameter) for name in loaded):
            raise RuntimeError(
                f'No parameter of the model was loaded. {text}\nConvert the file or set '
                'load_from=None to train from scratch.'
            )
        clean = not (missing or mismatched or unused)
        (runner.logger.info if clean else runner.logger.warning)(text)

    def _line(self, label: str, names: list[str]) -> str:
        """Return one row of the table, or nothing for an empty one."""
        if not names:
            return ''
        more = len(names) - self.max_names
        tail = f', and {more} more' if more > 0 else ''
        return f'  {label:<20}{len(names):>5}: {", ".join(names[: self.max_names])}{tail}'


def _tensors(runner: Runner) -> dict[str, torch.Tensor]:
    """Return the parameters and persistent buffers of the model by name."""
    state = unwrap_model(runner.model).state_dict(keep_vars=True)
    return {
        name: value
        for name, value in state.items()
        # torch writes to the counters of batch normalisation also when the file has none.
        if isinstance(value, torch.Tensor) and not name.endswith('num_batches_tracked')
    }


def _unneeded_names(runner: Runner) -> set[str]:
    """Return the weights that the modules of the model say they do without."""
    return {
        f'{owner}.{key}'.lstrip('.')
        for owner, module in unwrap_model(runner.model).named_modules()
        for key in getattr(module, 'unneeded_keys', ())
    }

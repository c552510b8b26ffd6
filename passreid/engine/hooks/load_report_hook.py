"""A report of what a checkpoint gave a model."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from passreid.registry import HOOKS
from passreid.utils.load_watch import LoadWatch, unneeded_names
from passreid.utils.unwrap import unwrap_model
from passreid.utils.weight_values import check_weights


@HOOKS.register_module()
class LoadReportHook(Hook):
    """Say which tensors of the model a checkpoint filled, and fail when it filled too little.

    mmengine loads what fits and logs the rest in one long line, so that a run with a
    misnamed checkpoint trains from scratch without a word. A tensor counts as loaded when
    it was written to, which also holds where the model renames or resizes what it loads; see
    :class:`LoadReport` for the rows of the report. A module can name weights that it does without
    in ``unneeded_keys``: a head without classifier takes no notice of that of the file, which is
    no mismatch.

    Args:
        max_names (int): Names shown in each row. Defaults to 5.
        min_share (float): Least share of the backbone, counted in values, that a checkpoint
            has to fill; neck and classifier may start fresh. A model without ``backbone`` has to
            get one parameter. Defaults to 0.75.
    """

    # Before any hook that writes to the model itself, such as a copy to a teacher.
    priority = 'HIGHEST'

    def __init__(self, max_names: int = 5, min_share: float = 0.75) -> None:
        self.max_names = max_names
        self.min_share = min_share
        self._watch: LoadWatch | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Look at the weights, and remember the state of the model before mmengine fills it.

        Args:
            runner (Runner): The runner.
            checkpoint (dict): The loaded checkpoint. Weights that the model does without and has no
                place for are taken out: mmengine would complain of them.

        Raises:
            ValueError: When weights for the model are no finite floating-point numbers.
        """
        weights = checkpoint.get('state_dict', checkpoint)
        model = unwrap_model(runner.model)
        own = model.state_dict()
        check_weights({k.removeprefix('module.'): v for k, v in weights.items()}, own)
        for name in unneeded_names(model) - own.keys():
            for key in (name, f'module.{name}'):
                weights.pop(key, None)
        self._watch = LoadWatch(model, weights)

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
            RuntimeError: When no parameter was loaded, or too little of the backbone.
        """
        if self._watch is None:
            return
        watch, self._watch = self._watch, None
        report = watch.report()
        report.check(
            self.min_share if hasattr(watch.model, 'backbone') else 0.0,
            'Convert the file or set load_from=None to train from scratch. If so little is what '
            "you want, lower min_share of the hook 'LoadReportHook'.",
        )
        log = runner.logger.info if report.clean else runner.logger.warning
        log(f'Checkpoint: {report.table(self.max_names)}')

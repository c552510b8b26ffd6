"""A run that dies."""

from mmengine.hooks import Hook


class KilledError(Exception):
    """What :class:`Kill` raises."""


class Kill(Hook):
    """Die after an iteration, once everything else has been done."""

    priority = 'LOWEST'

    def __init__(self, iteration):
        self.iteration = iteration

    def after_train_iter(self, runner, *args, **kwargs):
        if runner.iter + 1 == self.iteration:
            raise KilledError

"""Ways in which one of several processes dies."""

import errno
import os
import signal
from unittest import mock

import torch
from elastic_jobs import mark_death
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.hooks import Hook

from passreid.apis import build_runner
from passreid.utils import close_process_group
from passreid.utils.unwrap import unwrap_model

MESSAGE = 'the disk of this machine burns'


class BurnsError(Exception):
    """An error that no code expects."""


def burn(*args, **kwargs):
    """Fail with an error of its own."""
    mark_death()
    raise BurnsError(MESSAGE)


def leave(*args, **kwargs):
    """End without a word, as a library does that gives up."""
    mark_death()
    os._exit(3)


def be_killed(*args, **kwargs):
    """End as the out-of-memory killer ends a process."""
    mark_death()
    os.kill(os.getpid(), signal.SIGKILL)


def full_disk(*args, **kwargs):
    """Fail as writing to a full disk does."""
    mark_death()
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


WAYS = {'error': burn, 'exit': leave, 'kill': be_killed, 'full disk': full_disk}


class DieAfter(Hook):
    """Die after an iteration."""

    def __init__(self, way, iteration=2):
        self.way, self.iteration = way, iteration

    def after_train_iter(self, runner, *args, **kwargs):
        if runner.iter + 1 == self.iteration:
            WAYS[self.way]()


class DieInModel(Hook):
    """Die in the forward pass, from an iteration on."""

    def __init__(self, way, iteration=2):
        self.way, self.iteration = way, iteration

    def before_train_iter(self, runner, *args, **kwargs):
        if runner.iter + 1 == self.iteration:
            unwrap_model(runner.model).backbone.register_forward_pre_hook(WAYS[self.way])


class DieInLoader(Hook):
    """Die where a sample is loaded, which may be in a worker."""

    def __init__(self, way):
        self.way = way

    def before_train(self, runner):
        dataset = runner.train_dataloader.dataset
        type(dataset).__getitem__ = lambda self, index: WAYS[way]()
        way = self.way


HOOKS = {'hook': DieAfter, 'model': DieInModel, 'loader': DieInLoader}
# What one process calls in place of another function.
PLACES = {
    'clustering': 'passreid.engine.hooks.pseudo_label_hook.cluster_pseudo_labels',
    'extraction': 'passreid.engine.feature_extraction.read_batch',
    'ranking': 'passreid.evaluation.metrics.reid_metric.rank_features',
    'testing': 'passreid.evaluation.metrics.reid_metric.read_batch',
    'saving': 'torch.save',
    'picture': 'cv2.imencode',
}


def run_and_die(config, place, way, rank, *arguments):
    """Train, or test where there are weights to load; the process ``rank`` dies at a place.

    Further arguments are those of the hook that kills it, such as the iteration.
    """
    torch.set_num_threads(1)
    cfg = Config.fromfile(config)
    cfg.launcher = 'pytorch'
    runner = build_runner(cfg)
    if get_rank() != rank:
        _run(runner)
    elif place in HOOKS:
        runner.register_hook(HOOKS[place](way, *arguments))
        _run(runner)
    else:
        with mock.patch(PLACES[place], WAYS[way]):
            _run(runner)
    close_process_group(runner)


def _run(runner):
    if runner.cfg.load_from:
        runner.test()
    else:
        runner.train()

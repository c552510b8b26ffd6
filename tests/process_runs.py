"""What the processes of a job do, one function for each kind."""

import json
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from tiny_runs import SeenClusters, SeenImages, quick_start
from torch.nn.modules.batchnorm import _BatchNorm

from passreid.apis import build_runner
from passreid.utils import close_process_group
from passreid.utils.unwrap import unwrap_model


class FixedNorms(Hook):
    """Normalise by running statistics, so that a feature does not depend on its batch."""

    def before_train_iter(self, runner, *args, **kwargs):
        for module in runner.model.modules():
            if isinstance(module, _BatchNorm):
                module.eval()


class SeenMemory(Hook):
    """Remember the memory of clusters after each step."""

    def __init__(self):
        self.centres = []

    def after_train_iter(self, runner, *args, **kwargs):
        self.centres.append(unwrap_model(runner.model).memory.centres.clone())


def run_all(names, launcher='pytorch', fixed_norms=False):
    """Train, or test where there are weights to load, the configs ``NAME.py`` one by one.

    The outcome of each process is in ``NAME_RANK.pth`` and ``NAME_RANK.json``.
    """
    with quick_start():
        for name in names:
            runner = _run(name, launcher, fixed_norms)
    close_process_group(runner)


def _run(name, launcher, fixed_norms):
    cfg = Config.fromfile(f'{name}.py')
    cfg.launcher = launcher
    runner = build_runner(cfg)
    images, clusters, memory = SeenImages(), SeenClusters(), SeenMemory()
    if fixed_norms:
        runner.register_hook(FixedNorms())
    # An epoch of pre-training is of crops, without samples that tell their names.
    if cfg.model.type != 'PASS':
        runner.register_hook(images)
    if cfg.model.type == 'ClusterContrast':
        runner.register_hook(clusters)
        runner.register_hook(memory)
    if cfg.load_from and not cfg.resume:
        figures = runner.test()
    else:
        runner.train()
        history = runner.message_hub.log_scalars
        figures = {key: value.current() for key, value in history.items() if 'reid/' in key}
    outcome = {
        'weights': unwrap_model(runner.model).state_dict(),
        'starts': clusters.starts,
        'ends': clusters.ends,
        'memory': memory.centres,
    }
    torch.save(outcome, f'{name}_{get_rank()}.pth')
    Path(f'{name}_{get_rank()}.json').write_text(json.dumps([images.batches, figures]))
    return runner


def read_outcome(folder, name, number):
    """Read what :func:`run_all` wrote: of each process the tensors, batches and figures."""
    found = []
    for rank in range(number):
        tensors = torch.load(folder / f'{name}_{rank}.pth', weights_only=True)
        batches, figures = json.loads((folder / f'{name}_{rank}.json').read_text())
        found.append(tensors | {'batches': batches, 'figures': figures})
    return found

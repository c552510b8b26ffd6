"""Changes of a config by what a test is asked to do."""

import copy
from collections.abc import Sequence
from os.path import join
from pathlib import Path

from mmengine.config import Config, ConfigDict

from passreid.evaluation import ReIDMetric
from passreid.models import ReIDHead
from passreid.registry import METRICS, MODELS, find_entries

from .build_runner import load_config


def prepare_test(
    cfg: Config,
    checkpoint: str | Path | None,
    *,
    out: str | Path | None = None,
    rerank: bool = False,
    flip: bool = False,
    test_sets: Sequence[str | Path] = (),
) -> None:
    """Make a config test a checkpoint, in place; :func:`build_runner` takes it from there.

    Args:
        cfg (Config): The config of a runner. It is changed.
        checkpoint (str | Path, optional): The weights. Files of pre-training, bare backbones and
            files of the authors' code are recognised. None tests the weights that training would
            start from, which the caller has to draw: ``runner.model.init_weights()``.
        out (str | Path, optional): Folder for features and rankings. Defaults to none.
        rerank (bool): Whether to report figures after k-reciprocal re-ranking as well.
            Defaults to False.
        flip (bool): Whether to average the features of an image and its mirror image.
            Defaults to False.
        test_sets (Sequence[str | Path]): Config files of the data sets to test on, as those in
            ``configs/_base_/datasets``, in place of the config's own. Images are loaded as the
            config says. Defaults to none.

    Raises:
        FileNotFoundError: When there is no such checkpoint, or no such file of a test set.
        ValueError: When the config, or one of the test sets, has no test data.
    """
    if checkpoint is not None and not Path(checkpoint).is_file():
        raise FileNotFoundError(f'There is no checkpoint {checkpoint}')
    if not cfg.get('test_dataloader'):
        raise ValueError(
            'The config has no test_dataloader: it is one of pre-training. Test its weights with a '
            'config of configs/supervised that has the same backbone'
        )
    cfg.load_from, cfg.resume = None if checkpoint is None else str(checkpoint), False
    for head in find_entries(cfg.model, ReIDHead, MODELS):
        # The classifier of the training ids takes no part in a test.
        head.setdefault('num_classes', None)
    if test_sets:
        _replace_test_sets(cfg, [Path(path) for path in test_sets])
    names = cfg.test_cfg.get('names', ())
    evaluators = cfg.test_evaluator
    if not isinstance(cfg.test_dataloader, list | tuple):
        evaluators = [evaluators]  # A list belongs to the one set.
    elif not isinstance(evaluators, list | tuple):
        evaluators = [copy.deepcopy(evaluators) for _ in cfg.test_dataloader]
        cfg.test_evaluator = evaluators
    for index, evaluator in enumerate(evaluators):
        for metric in find_entries(evaluator, ReIDMetric, METRICS):
            if rerank:
                metric['rerank'] = metric.get('rerank') or True
            if out:
                metric['save_dir'] = join(out, names[index]) if names else str(out)
    if flip:
        hook = dict(type='FlipTTAHook')
        cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), hook]


def _replace_test_sets(cfg: Config, paths: list[Path]) -> None:
    """Let the config test on the data sets that other config files name."""
    own, evaluator = cfg.test_dataloader, cfg.test_evaluator
    if isinstance(own, list | tuple):
        own = own[0]
        evaluator = evaluator[0] if isinstance(evaluator, list | tuple) else evaluator
    loaders = []
    for path in paths:
        other = load_config(path)
        if not isinstance(other.get('test_dataloader'), dict):
            raise ValueError(f'{path} has no test_dataloader')
        dataset = other.test_dataloader.dataset
        dataset['pipeline'] = own.dataset.pipeline
        loaders.append(ConfigDict({**own, 'dataset': dataset}))
    cfg.test_dataloader, cfg.test_evaluator = loaders, [copy.deepcopy(evaluator) for _ in paths]
    names = [path.stem for path in paths]
    cfg.test_cfg = dict(cfg.test_cfg, type='MultiTestLoop', names=names)

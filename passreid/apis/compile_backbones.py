"""The switch ``compile`` of a config."""

from typing import Any

from mmengine.config import Config
from torch import nn

from passreid.utils.unwrap import unwrap_model


def compile_backbones(model: nn.Module, cfg: Config) -> list[str]:
    """Compile the backbones of a model as the entry ``compile`` of a config says, in place.

    mmengine would compile the whole ``train_step`` of the model. With data preprocessing, sample
    lists and the optimiser in it, that takes minutes for the smallest of models, changes the random
    numbers of the augmentation, and leaves validation, tests and the extraction of features as they
    are. Backbones are where the time goes. Compiled in place they keep the names of their weights
    and their methods, and serve whoever calls them: training, a teacher, tests, mirror
    images, pseudo labels.

    Args:
        model (nn.Module): The model, in a distributed wrapper or not.
        cfg (Config): The config of a runner. ``compile`` is taken out of it, so that mmengine does
            not compile as well: True, or a dict of arguments of :func:`torch.compile`; None and
            False mean no.

    Returns:
        list[str]: What the user should know about, one sentence each.

    Raises:
        TypeError: When ``compile`` is neither.
        ValueError: When the model has no backbone.
    """
    options: Any = cfg.pop('compile', None)
    if options is None or options is False:
        return []
    if options is not True and not isinstance(options, dict):
        raise TypeError(
            f'compile must be True, False or a dict of arguments of torch.compile, not {options!r}'
        )
    arguments = {} if options is True else dict(options)
    if not arguments.keys() & {'mode', 'options', 'backend'}:
        # Stochastic depth is then that of an uncompiled run.
        arguments['options'] = {'fallback_random': True}
    model = unwrap_model(model)
    names = [name for name, _ in model.named_modules() if name.split('.')[-1] == 'backbone']
    if not names:
        raise ValueError(f'compile: {type(model).__name__} has no module called backbone')
    for name in names:
        model.get_submodule(name).compile(**arguments)
    return [f'Compiled when they first run, which takes a minute or more: {", ".join(names)}.']

"""A model by the name of its config."""

import copy
import logging
from pathlib import Path

import mmpretrain
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmpretrain.apis import ModelHub

from passreid.models.converters import load_weights
from passreid.registry import register_all_modules
from passreid.utils.messages import log_level

from .build_runner import load_config
from .fit_config import drop_pretrained


def get_model(
    model: str | Path | Config,
    pretrained: str | Path | None = None,
    device: str | torch.device | None = None,
    **kwargs,
) -> BaseModel:
    """Build a model, and load its weights so that nothing is lost without a word.

    What ``mmpretrain.get_model`` does, which knows the models of passreid as well; but checkpoints
    are those that ``tools/test.py`` takes, the authors' files among them, cannot run code, and
    are reported on (:func:`load_weights`). Heads that name no ``num_classes`` have no classifier.

    Args:
        model (str | Path | Config): A name of ``mmpretrain.list_models('pass*')``, a config
            file, or a config.
        pretrained (str | Path, optional): The weights. Defaults to None: random ones, as training
            from scratch begins with. A file that ``init_cfg`` of the config names is not read.
        device (str | torch.device, optional): Where to put the model. Defaults to the processor.
        **kwargs: Override entries of the model's config.

    Returns:
        BaseModel: In evaluation mode; ``_config`` is its config.

    Raises:
        ValueError: When there is no model of that name, or the config has none.
        FileNotFoundError: When there is no such config or checkpoint.
        RuntimeError: When too little of the checkpoint fits.

    Examples:
        >>> import torch
        >>> from passreid import get_model
        >>> model = get_model('pass-supervised_vit-t8_synthetic')
        >>> model.extract_feat(torch.rand(2, 3, 64, 32))[0].shape
        torch.Size([2, 4, 128])
    """
    register_all_modules(init_default_scope=False)
    if pretrained is True:
        raise ValueError(f'no weights are published for {model}: name a file of yours')
    metainfo = None
    if isinstance(model, str) and Path(model).suffix != '.py':
        metainfo = ModelHub.get(model)
        config = metainfo.config
    else:
        config = load_config(model)
    if not config.get('model'):
        raise ValueError(f'{config.filename or "the config"} has no `model`')
    if kwargs:
        config.merge_from_dict(dict(model=kwargs))
    config.model.setdefault('data_preprocessor', config.get('data_preprocessor'))
    # The model alone: mmpretrain asks the test data for class names, and expects one test set.
    alone = Config(dict(model=dict(copy.deepcopy(config.model), _scope_='passreid')))
    drop_pretrained(alone.model)
    built = mmpretrain.get_model(alone, device=device)
    with log_level(logging.WARNING):  # mmengine logs a line about each parameter.
        built.init_weights()
    built._config, built._metainfo = config, metainfo
    if pretrained is not None:
        load_weights(built, pretrained)
    return built

"""Models as folders that can be published: weights, config and card; the hub of Hugging Face."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from safetensors import safe_open
from safetensors.torch import save
from torch import nn

from passreid.models.backbones import PartViT
from passreid.models.converters import load_weights, to_vit_checkpoint
from passreid.models.converters.addresses import hub_file
from passreid.registry import name_types
from passreid.utils.atomic_file import atomic_file
from passreid.version import __version__

from .fit_config import drop_pretrained
from .get_model import get_model
from .inference_pipeline import inference_pipeline

CONFIG, WEIGHTS, CARD = 'config.json', 'model.safetensors', 'README.md'
HUB = 'hf://'
_UNKNOWN = 'not stated'


def save_pretrained(
    model: BaseModel,
    folder: str | Path,
    *,
    name: str = '',
    license: str = '',
    data: str = '',
    recipe: str = '',
    figures: Mapping[str, float] | None = None,
) -> Path:
    """Write a model as a folder that :func:`from_pretrained` opens, and that can be published.

    Args:
        model (BaseModel): What :func:`get_model` or :func:`from_pretrained` returned.
        folder (str | Path): Where ``model.safetensors``, ``config.json`` (the model and how images
            are prepared) and the card ``README.md`` are written.
        name (str): Name of the model. Defaults to that of its config.
        license (str): Licence of the weights, such as 'mit', for the card.
        data (str): What it was trained on, for the card.
        recipe (str): How it was trained, for the card.
        figures (Mapping[str, float], optional): What was measured, by name, for the card.

    Returns:
        Path: The folder.
    """
    folder, cfg = Path(folder), model._config
    content: dict[str, Any] = dict(
        library_name='passreid',
        passreid=__version__,
        name=name or Path(cfg.filename or type(model).__name__).stem,
        model={key: value for key, value in cfg.model.to_dict().items() if key != '_scope_'},
        test_pipeline=inference_pipeline(cfg),
    )
    name_types(content)
    drop_pretrained(content['model'])
    text = json.dumps(content, indent=2)
    weights = {k: v.detach().cpu().clone().contiguous() for k, v in model.state_dict().items()}
    _write(folder, weights, text)
    card = _card(content['name'], license, data, recipe, figures or {}, 'passreid')
    (folder / CARD).write_text(card)
    return folder


def from_pretrained(source: str | Path, device: str | torch.device | None = None) -> BaseModel:
    """Open a model that :func:`save_pretrained` has written. Nothing in its files is run.

    Args:
        source (str | Path): The folder, its ``model.safetensors`` alone (which holds the config,
            too), or ``hf://user/name`` for a repository of the hub, with ``@revision`` if wanted.
        device (str | torch.device, optional): Where to put the model. Defaults to the processor.

    Returns:
        BaseModel: In evaluation mode, for :class:`ReIDInferencer` as well.

    Raises:
        FileNotFoundError: When a file is missing; names it.
        ValueError: When the config is damaged, or names anything but parts of models.
        RuntimeError: When the weights are not exactly those of the model.

    Examples:
        >>> from passreid import from_pretrained
        >>> model = from_pretrained('hf://user/pass_vit-s16')  # doctest: +SKIP
    """
    if str(source).startswith(HUB):
        for name in (CONFIG, WEIGHTS):
            folder = Path(hub_file(str(source), name)).parent
        source = folder
    source = Path(source).expanduser()
    weights = source / WEIGHTS if source.is_dir() else source
    if not weights.is_file():
        raise FileNotFoundError(f'there is no {weights}: {source} is no model of save_pretrained')
    place = source / CONFIG if source.is_dir() else source
    if source.is_dir() and not place.is_file():
        raise FileNotFoundError(f'there is no {place}, which says what model {weights.name} is of')
    content = _read_config(place)
    pipeline = dict(dataset=dict(pipeline=content['test_pipeline']))
    cfg = Config(dict(model=content['model'], test_dataloader=pipeline))
    model = get_model(cfg, device=device)
    load_weights(model, weights, strict=True)
    return model


def push_to_hub(folder: str | Path, repo_id: str, private: bool = False) -> str:
    """Upload a folder of :func:`save_pretrained` to the hub; ``hf auth login`` comes before.

    Args:
        folder (str | Path): The folder.
        repo_id (str): ``user/name``; made if need be.
        private (bool): Whether nobody else may see a repository that is made. Defaults to False.

    Returns:
        str: Its address for :func:`from_pretrained`.
    """
    from huggingface_hub import HfApi

    for name in (CONFIG, WEIGHTS, CARD):
        if not (Path(folder) / name).is_file():
            raise FileNotFoundError(f'there is no {Path(folder) / name}: save_pretrained writes it')
    api = HfApi()
    api.create_repo(repo_id, private=private, exist_ok=True)
    api.upload_folder(folder_path=str(folder), repo_id=repo_id)
    return f'{HUB}{repo_id}'


def save_timm(model: BaseModel, folder: str | Path, **card: Any) -> Path:
    """Write the backbone of a model as ``timm.create_model('local-dir:FOLDER')`` opens it.

    On the hub, ``timm.create_model('hf-hub:user/name')`` does.

    Args:
        model (BaseModel): Its backbone is a :class:`PartViT` with ``num_parts=0``.
        folder (str | Path): Where the files are written.
        **card: ``name``, ``license``, ``data``, ``recipe`` and ``figures`` of
            :func:`save_pretrained`.

    Returns:
        Path: The folder.

    Raises:
        ValueError: When the backbone has part tokens, or is no ViT as timm has one.
    """
    backbone: Any = getattr(model, 'backbone', None)
    if not isinstance(backbone, PartViT) or not isinstance(
        backbone.patch_embed.projection, nn.Conv2d
    ):
        raise ValueError(f'{type(model).__name__} has no plain ViT that timm knows')
    weights = to_vit_checkpoint(model.state_dict())
    layer = backbone.layers[0]
    arguments = dict(
        img_size=list(backbone.img_size),
        patch_size=backbone.patch_embed.projection.kernel_size[0],
        embed_dim=backbone.embed_dims,
        depth=len(backbone.layers),
        num_heads=layer.attn.num_heads,
        mlp_ratio=weights['blocks.0.mlp.fc1.weight'].shape[0] / backbone.embed_dims,
        init_values=1.0 if 'blocks.0.ls1.gamma' in weights else None,
        global_pool='token',
    )
    mean, std = (
        [round(float(value) / 255, 6) for value in getattr(model.data_preprocessor, part).flatten()]
        for part in ('mean', 'std')
    )
    size = [3, *backbone.img_size]
    content = dict(
        architecture='vit_base_patch16_224',
        num_classes=0,
        num_features=backbone.embed_dims,
        global_pool='token',
        model_args=arguments,
        pretrained_cfg=dict(
            input_size=size,
            fixed_input_size=True,
            interpolation='bilinear',
            crop_pct=1.0,
            crop_mode='squash',
            mean=mean,
            std=std,
            num_classes=0,
            pool_size=None,
            first_conv='patch_embed.proj',
            classifier='head',
        ),
    )
    name = card.pop('name', '') or Path(model._config.filename or 'vit').stem
    text = {key: card.get(key, '') for key in ('license', 'data', 'recipe')}
    _write(Path(folder), weights, json.dumps(content, indent=2))
    page = _card(name, **text, figures=card.get('figures') or {}, library='timm')
    (Path(folder) / CARD).write_text(page)
    return Path(folder)


def _write(folder: Path, weights: dict[str, torch.Tensor], config: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.contiguous() for name, value in weights.items()}
    with atomic_file(folder / WEIGHTS) as file:
        file.write(save(weights, {'format': 'pt', 'config': config}))
    (folder / CONFIG).write_text(config)


def _read_config(path: Path) -> dict[str, Any]:
    """Read the config of a model from its file, or from the header of its weights."""
    if path.name == CONFIG:
        text = path.read_text()
    else:
        with safe_open(path, 'pt') as file:
            text = (file.metadata() or {}).get('config', '')
    try:
        content = json.loads(text)
        _refuse_programs(content['model'], path)
        _refuse_programs(content['test_pipeline'], path)
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(
            f'{path} does not hold the config of a model of passreid: {error}'
        ) from error
    return content


def _refuse_programs(node: Any, path: Path) -> None:
    """Raise where a config names what a registry would import, and so run, from anywhere."""
    entries = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in entries:
        if isinstance(value, dict | list):
            _refuse_programs(value, path)
        elif str(key).startswith('_') or (key == 'type' and not str(value).isidentifier()):
            raise ValueError(f'{path}: {key}={value!r} is no part of a model that passreid has')


def _card(
    name: str,
    license: str,
    data: str,
    recipe: str,
    figures: Mapping[str, float],
    library: str,
) -> str:
    """Write the card of a model."""
    opened = {
        'passreid': 'from passreid import ReIDInferencer, from_pretrained\n\n'
        "inferencer = ReIDInferencer(from_pretrained('hf://USER/NAME'))\n"
        "features = inferencer.extract('crops/')",
        'timm': "import timm\n\nmodel = timm.create_model('hf-hub:USER/NAME', pretrained=True)",
    }[library]
    table = '\n'.join(f'| {key} | {value:g} |' for key, value in figures.items())
    head = f'license: {license}\n' if license else ''
    return f"""---
{head}library_name: {library}
pipeline_tag: image-feature-extraction
tags:
- person-re-identification
- pass
---
# {name}

Features of person crops for re-identification, by [PASS](https://arxiv.org/abs/2203.03931).

```python
{opened}
```

| | |
|---|---|
| training data | {data or _UNKNOWN} |
| recipe | {recipe or _UNKNOWN} |
| licence of the weights | {license or _UNKNOWN} |
{table}

Intended use: research on person re-identification, and search in footage that one may lawfully
process. Not for surveillance of people who were not informed, and not as the only ground of a
decision about a person. Similar clothes look like one person; test on your own cameras.
"""

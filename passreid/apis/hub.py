"""Models as folders that can be published: weights, config and card; the hub of Hugging Face."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import registry
from mmpretrain.models.utils import QuickGELU
from safetensors import safe_open
from safetensors.torch import save
from torch import nn

from passreid.engine.runners import pixels_of
from passreid.models.backbones import PartViT
from passreid.models.converters import load_weights, to_vit_checkpoint
from passreid.models.converters.addresses import hub_file
from passreid.registry import name_types
from passreid.utils.atomic_file import atomic_file
from passreid.version import __version__

from .fit_config import drop_pretrained
from .get_model import get_model
from .inference_pipeline import inference_pipeline
from .reid_inferencer import ReIDInferencer

CONFIG, WEIGHTS, CARD = 'config.json', 'model.safetensors', 'README.md'
HUB = 'hf://'
# All that a config may name. A registry imports what it does not know, and some classes of
# mmpretrain fetch addresses or run code from there; these open no file.
PARTS = frozenset((
    *('PASS', 'PASSHead', 'PASSNeck', 'PASSDataPreprocessor', 'PartViT', 'VisionTransformer'),
    *('MaskedPASS', 'PatchHead'),
    *('ImageClassifier', 'ReIDHead', 'ReIDDataPreprocessor', 'BNNeck', 'TripletLoss'),
    *('CrossEntropyLoss', 'LabelSmoothLoss', 'ArcFaceLoss', 'CosFaceLoss', 'CircleLoss'),
    *('ClusterContrast', 'ClusterMemory', 'CameraMemory', 'PartRefinement'),
    *('LoadPersonImage', 'Resize', 'CenterCrop', 'PackInputs'),
    *('LN', 'BN', 'BN1d', 'GELU', 'QuickGELU', 'ReLU'),
    *('Constant', 'Normal', 'TruncNormal', 'Xavier', 'Kaiming'),
))  # fmt: skip


def save_pretrained(model: BaseModel, folder: str | Path, **card: Any) -> Path:
    """Write a model as a folder that :func:`from_pretrained` opens, and that can be published.

    Args:
        model (BaseModel): What :func:`get_model` or :func:`from_pretrained` returned.
        folder (str | Path): Where ``model.safetensors``, ``config.json`` (the model and how images
            are prepared) and the card ``README.md`` are written.
        **card: What the card says: ``name`` (default: that of the config), ``license`` of the
            weights such as 'mit', ``data`` and ``recipe`` of the training, and ``figures``, a dict
            of what was measured.

    Returns:
        Path: The folder.

    Raises:
        ValueError: When the config names anything but ``PARTS``.
    """
    folder, cfg = Path(folder), model._config
    content: dict[str, Any] = dict(
        passreid=__version__,
        model={key: value for key, value in cfg.model.to_dict().items() if key != '_scope_'},
        test_pipeline=inference_pipeline(cfg),
    )
    name_types(content)
    drop_pretrained(content['model'])
    preprocessor = content['model'].get('data_preprocessor') or {}
    if preprocessor.pop('pixels_of_weights', False):
        preprocessor.update(pixels_of(model) or {})
    _check_parts(content)
    text = json.dumps(content, indent=2)
    weights = {k: v.detach().cpu().clone().contiguous() for k, v in model.state_dict().items()}
    with atomic_file(folder / WEIGHTS) as file:
        file.write(save(weights, {'format': 'pt', 'config': text}))
    (folder / CONFIG).write_text(text)
    _write_card(folder, model, 'passreid', _OPEN, **card)
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
    try:
        content = json.loads(_config_text(place))
        _check_parts(content)
        pipeline = dict(dataset=dict(pipeline=content['test_pipeline']))
        with _no_imports():
            model = get_model(Config(dict(model=content['model'], test_dataloader=pipeline)))
            ReIDInferencer(model).extract(np.zeros((64, 32, 3), np.uint8))
    # Strange configs make classes raise nearly anything; none of them opens a file.
    except Exception as error:
        raise ValueError(f'{place} is no config of a model of passreid: {error}') from error
    load_weights(model, weights, strict=True)
    return model.to(device or 'cpu')


_ONE_AT_A_TIME = Lock()


@contextmanager
def _no_imports() -> Iterator[None]:
    """Let registries build what is registered alone; they import any other name."""
    with _ONE_AT_A_TIME:
        former = registry.get_object_from_string
        registry.get_object_from_string = lambda name: None
        try:
            yield
        finally:
            registry.get_object_from_string = former


def _config_text(path: Path) -> str:
    """Return a config as its file or the header of weights has it."""
    if path.name == CONFIG:
        return path.read_text(encoding='utf-8')
    with safe_open(path, 'pt') as file:
        return (file.metadata() or {})['config']


def _check_parts(content: dict[str, Any]) -> None:
    """Raise a ValueError where a config names anything but ``PARTS``, or has none."""
    pipeline = content['test_pipeline']
    for part in (content['model'], *(pipeline if isinstance(pipeline, list) else [])):
        if not isinstance(part, dict) or 'type' not in part:
            raise ValueError(f'{part!r} has no type')
    if not pipeline or not isinstance(pipeline, list):
        raise ValueError('test_pipeline has no transforms')
    todo: list[Any] = [content]
    while todo:
        node = todo.pop()
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            # There are `conv_type` and the like, too; these two are plain options of ViTs.
            is_type = str(key).endswith('type') and key not in ('out_type', 'ffn_type')
            if is_type and not (isinstance(value, str) and value in PARTS):
                raise ValueError(f'{key}={value!r} is none of {", ".join(sorted(PARTS))}')
            if key == 'pretrained' or str(key).startswith('_'):
                raise ValueError(f'{key}={value!r} has no place in the config of a model')
            if isinstance(value, dict | list | tuple):
                todo.append(value)


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
    import timm

    backbone: Any = getattr(model, 'backbone', None)
    patch = getattr(getattr(backbone, 'patch_embed', None), 'projection', None)
    if not isinstance(backbone, PartViT) or not isinstance(patch, nn.Conv2d):
        name = type(backbone or model).__name__
        raise ValueError(f'{name} is no ViT that timm knows: it takes a PartViT without ICS stem')
    weights = to_vit_checkpoint(model.state_dict())
    block = backbone.layers[0]
    arguments = dict(
        img_size=tuple(backbone.img_size),
        patch_size=patch.kernel_size[0],
        embed_dim=backbone.embed_dims,
        depth=len(backbone.layers),
        num_heads=block.attn.num_heads,
        mlp_ratio=weights['blocks.0.mlp.fc1.weight'].shape[0] / backbone.embed_dims,
        pre_norm='norm_pre.weight' in weights,
        final_norm=backbone.final_norm,
        reg_tokens=backbone.num_registers,
        no_embed_class=bool(backbone.num_registers),
        act_layer='quick_gelu' if isinstance(block.ffn.layers[0][1], QuickGELU) else None,
        init_values=1.0 if 'blocks.0.ls1.gamma' in weights else None,
        num_classes=0,
    )
    preprocessor = model.data_preprocessor
    mean, std = (
        tuple(round(value / 255, 6) for value in values.flatten().tolist())
        for values in (preprocessor.mean, preprocessor.std)
    )
    pixels = dict(mean=mean, std=std, input_size=(3, *backbone.img_size), fixed_input_size=True)
    pixels |= dict(interpolation='bilinear', crop_pct=1.0, crop_mode='squash')
    # Models of timm that normalise alike; all else are arguments.
    name = 'vit_base_patch16_clip_224' if block.ln1.eps == 1e-5 else 'vit_base_patch16_224'
    vit = timm.create_model(name, pretrained_cfg_overlay=pixels, **arguments)
    noise = torch.rand(2, 3, *backbone.img_size, generator=torch.Generator().manual_seed(0))
    try:
        vit.load_state_dict(weights)
        own = deepcopy(backbone).cpu()
        own.eval()
        torch.testing.assert_close(vit.eval()(noise), own(noise)[0][:, 0], atol=1e-3, rtol=1e-3)
    except (AssertionError, RuntimeError) as error:
        raise ValueError(
            f'this {type(backbone).__name__} is no ViT as timm has one: {error}'
        ) from error
    timm.models.save_for_hf(vit, str(folder), model_args=arguments, safe_serialization=True)
    _write_card(Path(folder), model, 'timm', _OPEN_TIMM, **card)
    return Path(folder)


def _write_card(
    folder: Path,
    model: BaseModel,
    library: str,
    usage: str,
    name: str = '',
    license: str = '',
    data: str = '',
    recipe: str = '',
    figures: Mapping[str, float] | None = None,
) -> None:
    """Write the card of a model, see :func:`save_pretrained`."""
    from huggingface_hub import ModelCardData

    head = ModelCardData(
        license=license or None,
        library_name=library,
        tags=['person-re-identification', 'pass'],
        pipeline_tag='image-feature-extraction',
    )
    rows = {'training data': data, 'recipe': recipe, 'licence of the weights': license}
    rows |= {key: f'{value:g}' for key, value in (figures or {}).items()}
    table = '\n'.join(f'| {key} | {value or "not stated"} |' for key, value in rows.items())
    title = name or Path(model._config.filename or type(model).__name__).stem
    text = _CARD.format(head=head.to_yaml(), title=title, usage=usage, table=table)
    (folder / CARD).write_text(text)


_OPEN = """from passreid import ReIDInferencer, from_pretrained

inferencer = ReIDInferencer(from_pretrained('hf://USER/NAME'))
features = inferencer.extract('crops/')"""
_OPEN_TIMM = """import timm

model = timm.create_model('hf-hub:USER/NAME', pretrained=True)"""
_CARD = """---
{head}
---
# {title}

Features of person crops for re-identification, by [PASS](https://arxiv.org/abs/2203.03931).

```python
{usage}
```

| | |
|---|---|
{table}

Intended use: research on person re-identification, and search in footage that one may lawfully
process. Not for surveillance of people who were not informed, and not as the only ground of a
decision about a person. Similar clothes look like one person; test on your own cameras.
"""

"""Every config loads, stays short, names only what exists, and keeps the published settings."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import FUNCTIONS, DefaultScope, Registry

from passreid import registry
from passreid.clustering import find_clusters
from passreid.utils import config_path, register_all_modules

ROOT = config_path()
LEAVES = [
    path for path in sorted(ROOT.rglob('*.py')) if '_base_' not in path.relative_to(ROOT).parts
]
MAX_LINES, MAX_DEPTH = 25, 3
REGISTRIES = [FUNCTIONS, *(node for node in vars(registry).values() if isinstance(node, Registry))]


def configs(*folders):
    """Parametrize a test over the leaf configs, of all folders or of some."""
    paths = [path for path in LEAVES if not folders or path.parent.name in folders]
    return pytest.mark.parametrize('path', paths, ids=lambda path: path.stem)


@pytest.fixture(autouse=True)
def scope():
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('passreid'):
        yield


def named_types(node):
    """Yield the types that a config names; those of `clip_grad` are words, not classes."""
    if isinstance(node, dict):
        yield from (node[key] for key in ('type', 'constructor') if key in node)
        for key, child in node.items():
            if key != 'clip_grad':
                yield from named_types(child)
    elif isinstance(node, list | tuple):
        for child in node:
            yield from named_types(child)


def depth(path):
    """Count the files of the longest chain of inheritance, the leaf included."""
    bases = Config._get_base_files(str(path))
    return 1 + max((depth(path.parent / base) for base in bases), default=0)


def datasets(loaders):
    """List the data sets of a data loader or of several."""
    loaders = loaders if isinstance(loaders, list) else [loaders] if loaders else []
    return [one for loader in loaders for one in loader.dataset.get('datasets', [loader.dataset])]


def build_model(config):
    with torch.device('meta'):
        return registry.MODELS.build(config.model)


@configs()
def test_config_is_complete_and_short_and_its_types_exist(path):
    config = Config.fromfile(path)
    build_model(config)
    found = list(named_types(config.to_dict()))
    assert len(found) > 15
    for name in found:
        assert any(node.get(name) for node in REGISTRIES), name
    assert config.default_scope == 'passreid'
    assert {'model', 'train_dataloader', 'optim_wrapper', 'train_cfg'} <= set(config)
    assert len(path.read_text().splitlines()) <= MAX_LINES
    assert depth(path) <= MAX_DEPTH
    clip_grad = dict(type='per_parameter', max_norm=3.0) if path.parent.name == 'pass' else None
    assert config.optim_wrapper.get('clip_grad') == clip_grad


@pytest.mark.parametrize(
    'name', ['cuhk03_np', 'dukemtmc_reid', 'market1501', 'msmt17', 'occluded_duke']
)
def test_data_sets_share_one_recipe(name):
    """They repeat it, since configs of both styles inherit from them."""
    own, recipe = (
        Config.fromfile(ROOT / '_base_' / 'datasets' / f'{file}.py').to_dict()
        for file in (name, 'reid_256x128')
    )
    dataset = own.pop('dataset')
    assert {'type', 'data_root'} <= set(dataset)
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        recipe[loader]['dataset'].update(dataset)
    assert own == recipe


def test_sizes_share_one_recipe():
    small, large = (
        Config.fromfile(ROOT / '_base_' / 'datasets' / f'reid_{height}x128.py').to_dict()
        for height in (256, 384)
    )
    assert repr(large).replace('384', '256') == repr(small)


@configs()
def test_images_have_the_size_of_the_model(path, tmp_path, log):
    cv2.imwrite(str(tmp_path / 'crop.png'), np.zeros((130, 60, 3), np.uint8))
    config = Config.fromfile(path)
    height, width = config.model.backbone.img_size
    assert path.stem.endswith(('synthetic', 'lup', 'folder')) or f'{height}x{width}' in path.stem
    arch = dict(embed_dims=8, num_layers=1, num_heads=1, feedforward_channels=8)
    masked = dict(mask_token=config.model.type == 'MaskedPASS')
    backbone = registry.MODELS.build(
        dict(config.model.backbone, arch=arch, init_cfg=None, **masked)
    )
    loaders = [config.get(f'{name}_dataloader') for name in ('train', 'val', 'test')]
    pipelines = [dataset.pipeline for loader in loaders for dataset in datasets(loader)]
    if hook := config.default_hooks.get('pseudo_labels'):
        pipelines.append(hook.pipeline)
    for pipeline in pipelines:
        transforms = Compose([registry.TRANSFORMS.build(step) for step in pipeline])
        parts = [step.num_parts for step in transforms.transforms if hasattr(step, 'num_parts')]
        assert parts in ([], [backbone.num_parts])
        inputs = transforms(dict(img_path=str(tmp_path / 'crop.png'), gt_label=0))['inputs']
        if isinstance(inputs, dict):
            whole, local = (
                inputs[f'{kind}_views'].permute(0, 3, 1, 2) / 255 for kind in ('global', 'local')
            )
            backbone(whole, masks=inputs.get('masks'), with_patches='masks' in inputs)
            backbone(local, torch.zeros(len(local), dtype=int) if backbone.num_parts else None)
        else:
            backbone(inputs[None].float())
    assert 'pixels' not in log()


@configs('supervised', 'usl', 'uda')
def test_training_is_consistent(path):
    config = Config.fromfile(path)
    model, loader = build_model(config), config.train_dataloader
    part = config.model.get('head') or config.model.neck
    assert part.in_channels == model.backbone.embed_dims
    assert loader.batch_size % loader.sampler.images_per_id == 0
    if path.parent.name == 'supervised':
        assert model.head.num_parts == model.backbone.num_parts
    else:
        necks = 1 + model.backbone.num_parts if part.multi_neck else 1
        assert part.normalize and len(model.neck.norms) == necks
    hook = config.default_hooks.get('pseudo_labels')
    for dataset in datasets(config.val_dataloader):
        assert not hook or dataset.pipeline == hook.pipeline
        trained = datasets(loader)[0]
        assert (dataset.type, dataset.data_root) == (trained.type, trained.data_root)


@configs('supervised', 'usl', 'uda')
def test_weights_to_start_from_are_those_of_another_config_or_a_file_of_others(path):
    config = Config.fromfile(path)
    *folders, file = config.model.backbone.init_cfg.checkpoint.split('/')
    if not folders:
        size = config.model.backbone.arch.removeprefix('deit-')
        kind = 'ics' if '-ics_' in path.stem else path.stem.split('-')[0]
        own = dict(ics=f'vit_{size}_ics_cfs_lup.pth', personvit=f'personvit_{size}_lup.pth')
        assert file == own[kind]
        return
    folder, name = folders
    assert folder == 'work_dirs'
    (source,) = (Config.fromfile(leaf) for leaf in LEAVES if leaf.stem == name)
    if path.parent.name == 'uda':
        assert file == f'epoch_{source.train_cfg.max_epochs}.pth'
        assert source.model.backbone.img_size == config.model.backbone.img_size
        # Without parts there is nothing to fuse.
        if config.model.backbone.num_parts:
            assert source.model.head.fusion == config.model.neck.fusion
            assert source.model.head.multi_neck and config.model.neck.multi_neck
    else:
        assert file == 'teacher_backbone.pth'
    for key in ('arch', 'patch_size', 'num_parts', 'stem'):
        assert source.model.backbone.get(key) == config.model.backbone.get(key), key


@pytest.mark.parametrize(
    ('name', 'dataset', 'eps', 'fusion'),
    [
        ('usl_vit-s16_market1501-256x128', 'Market1501', 0.6, 'cat'),
        ('usl_vit-s16_msmt17-256x128', 'MSMT17', 0.7, 'mean'),
    ],
)
def test_published_recipe_of_clustering(name, dataset, eps, fusion):
    config = Config.fromfile(ROOT / 'usl' / f'{name}.py')
    model, loader, optim = config.model, config.train_dataloader, config.optim_wrapper
    assert (loader.dataset.type, loader.batch_size) == (dataset, 256)
    assert (loader.sampler.images_per_id, loader.sampler.iterations) == (8, 200)
    assert registry.HOOKS.build(config.default_hooks.pseudo_labels).settings == dict(eps=eps)
    # The others are the defaults: min_samples, k1 and k2.
    assert find_clusters.__defaults__[1:] == (4, 30, 6)
    assert model.neck.to_dict() == dict(
        type='BNNeck', in_channels=384, fusion=fusion, multi_neck=False, normalize=True
    )
    assert model.memory.to_dict() == dict(
        type='ClusterMemory', temperature=0.05, momentum=0.2, use_hard=True
    )
    assert model.backbone.drop_path_rate == 0.3
    assert model.data_preprocessor.erasing.to_dict() == dict(
        prob=0.5, mode='constant', area=(0.02, 0.4), value=(0.485, 0.456, 0.406)
    )
    optimizer = dict(type='SGD', lr=3.5e-4, momentum=0.9, weight_decay=5e-4)
    assert optim.optimizer.to_dict() == optimizer and 'paramwise_cfg' not in optim
    assert config.param_scheduler == [dict(type='StepLR', step_size=20, gamma=0.1)]
    assert config.train_cfg.max_epochs == 50


@pytest.mark.parametrize(
    ('name', 'width', 'batch'),
    [
        ('pass_vit-s16_lup', 384, 128),
        ('pass_vit-b16_lup', 768, 64),
        ('pass_vit-s16-ics_lup', 384, 128),
        ('pass-mim_vit-s16_lup', 384, 128),
        ('pass-mim_vit-b16_lup', 768, 64),
    ],
)
def test_published_recipe_of_pre_training(name, width, batch):
    config = Config.fromfile(ROOT / 'pass' / f'{name}.py')
    model = build_model(config)
    assert model.backbone.embed_dims == width
    assert model.backbone.pos_embed.shape == (1, 16 * 8, width)
    assert len(model.backbone.layers) == 12
    assert [layer.weight.shape for layer in model.neck.prototypes] == [(65536, 256)] * 4
    assert config.train_dataloader.batch_size == batch
    rate = config.optim_wrapper.optimizer.lr / config.auto_scale_lr.base_batch_size
    assert rate * 1024 == pytest.approx(2e-3)


@pytest.mark.parametrize(
    'path',
    [
        path
        for path in LEAVES
        if path.parent.name != 'pass'
        and ('-ics_' in path.stem or path.stem.startswith('personvit-'))
    ],
    ids=lambda path: path.stem,
)
def test_published_recipes_of_others(path):
    """Of a convolutional stem, and of PersonViT.

    They differ from the one of PASS in the network alone: its stem, and [CLS] for the feature.
    """
    plain_name = path.name.replace('-ics', '').replace('personvit-b16', 'vit-s16')
    names = path.name, plain_name.removeprefix('person')
    own, plain = (Config.fromfile(path.with_name(name)) for name in names)
    model = build_model(Config.fromfile(path))
    neck = model.neck or model.head.neck
    has_stem = hasattr(model.backbone.patch_embed, 'stem')
    assert has_stem == ('-ics' in path.name) and not model.backbone.num_parts
    if path.stem == 'personvit-b16_market1501-256x128':
        assert own.param_scheduler[0].pop('warmup') == 5 and plain.param_scheduler[0].pop('warmup')
    assert [norm.num_features for norm in neck.norms] == [model.backbone.embed_dims]
    for config in (own, plain):
        # A variable of UDA.
        config.pop('init_cfg', None)
        for key in ('arch', 'stem', 'num_parts', 'init_cfg'):
            config.model.backbone.pop(key, None)
        for key in ('in_channels', 'num_parts', 'multi_neck'):
            (config.model.get('head') or config.model.neck).pop(key, None)
    assert own.to_dict() == plain.to_dict()

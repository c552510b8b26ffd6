"""Every config must load, stay short, and name only what exists."""

import re

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset, Compose
from mmengine.registry import FUNCTIONS, DefaultScope

from passreid import registry
from passreid.utils import config_path, register_all_modules

ROOT = config_path()
FILES = sorted(ROOT.rglob('*.py'))
LEAVES = [path for path in FILES if '_base_' not in path.relative_to(ROOT).parts]
MAX_LINES, MAX_DEPTH = 25, 3

# The registry of each place that a type may stand in, by the key that leads to it.
PLACES = {
    'model': registry.MODELS,
    'data_preprocessor': registry.MODELS,
    'backbone': registry.MODELS,
    'neck': registry.MODELS,
    'head': registry.MODELS,
    'memory': registry.MODELS,
    'sampler': registry.DATA_SAMPLERS,
    'collate_fn': FUNCTIONS,
    'dataset': registry.DATASETS,
    'pipeline': registry.TRANSFORMS,
    'train_pipeline': registry.TRANSFORMS,
    'test_pipeline': registry.TRANSFORMS,
    'train_pipeline_384': registry.TRANSFORMS,
    'test_pipeline_384': registry.TRANSFORMS,
    'pack': registry.TRANSFORMS,
    'datasets': registry.DATASETS,
    'train_sets': registry.DATASETS,
    'id_loss': registry.MODELS,
    'metric_loss': registry.MODELS,
    'init_cfg': registry.WEIGHT_INITIALIZERS,
    'val_evaluator': registry.METRICS,
    'test_evaluator': registry.METRICS,
    'optim_wrapper': registry.OPTIM_WRAPPERS,
    'constructor': registry.OPTIM_WRAPPER_CONSTRUCTORS,
    'optimizer': registry.OPTIMIZERS,
    'param_scheduler': registry.PARAM_SCHEDULERS,
    'train_cfg': registry.LOOPS,
    'val_cfg': registry.LOOPS,
    'test_cfg': registry.LOOPS,
    'custom_hooks': registry.HOOKS,
    'visualizer': registry.VISUALIZERS,
    'vis_backends': registry.VISBACKENDS,
}

leaves = pytest.mark.parametrize('path', LEAVES, ids=lambda path: path.stem)
fine_tuning = pytest.mark.parametrize(
    'path',
    [path for path in LEAVES if path.parent.name == 'supervised'],
    ids=lambda path: path.stem,
)
CLUSTERING = [path for path in LEAVES if path.parent.name in ('usl', 'uda')]
clustering = pytest.mark.parametrize('path', CLUSTERING, ids=lambda path: path.stem)
files = pytest.mark.parametrize('path', FILES, ids=lambda path: str(path.relative_to(ROOT)))


@pytest.fixture(autouse=True)
def scope():
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('passreid'):
        yield


def named_types(node, path=()):
    """Yield the keys that lead to each type, and its name; numbers of lists are left out."""
    if isinstance(node, dict):
        if 'type' in node:
            yield path, node['type']
        if 'constructor' in node:
            yield (*path, 'constructor'), node['constructor']
        for key, child in node.items():
            # Its type is a word of mmengine's, or of our optimiser wrapper.
            if key != 'clip_grad':
                yield from named_types(child, (*path, key))
    elif isinstance(node, list | tuple):
        for child in node:
            yield from named_types(child, path)


def registry_of(path):
    """Return the registry that the keys lead to, or None."""
    # Default hooks stand under names of their own, some of which are those of other places.
    if path[0] == 'default_hooks' and len(path) == 2:
        return registry.HOOKS
    return PLACES.get(path[-1])


def depth(path):
    """Count the files of the longest chain of inheritance, the leaf included."""
    bases = Config._get_base_files(str(path))
    return 1 + max((depth(path.parent / base) for base in bases), default=0)


@leaves
def test_config_is_complete(path):
    config = Config.fromfile(path)
    assert config.default_scope == 'passreid'
    assert {'model', 'train_dataloader', 'optim_wrapper', 'train_cfg'} <= set(config)


@leaves
def test_leaf_is_short(path):
    assert len(path.read_text().splitlines()) <= MAX_LINES


@leaves
def test_inheritance_is_shallow(path):
    assert depth(path) <= MAX_DEPTH


def test_names_are_unique():
    # A run writes into the folder of this name.
    names = [path.stem for path in LEAVES]
    assert len(set(names)) == len(names)


@files
def test_there_are_no_absolute_paths(path):
    assert not re.search(r"""['"](/|~|[A-Za-z]:\\)""", path.read_text())


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


@leaves
def test_types_resolve(path):
    found = list(named_types(Config.fromfile(path).to_dict()))
    assert len(found) > 15
    for keys, name in found:
        node = registry_of(keys)
        assert node is not None, f'{".".join(keys)}: which registry is {name} of?'
        assert node.get(name) is not None, f'{".".join(keys)}: {name}'


@leaves
def test_gradients_are_clipped_by_themselves_in_pre_training_alone(path):
    clip_grad = Config.fromfile(path).optim_wrapper.get('clip_grad')
    published = dict(type='per_parameter', max_norm=3.0)
    assert clip_grad == (published if path.parent.name == 'pass' else None)


@leaves
def test_written_config_reads_back(path, tmp_path):
    config = Config.fromfile(path)
    config.dump(tmp_path / 'written.py')
    assert Config.fromfile(tmp_path / 'written.py').to_dict() == config.to_dict()


@leaves
def test_model_and_transforms_take_their_arguments(path):
    config = Config.fromfile(path)
    with torch.device('meta'):
        model = registry.MODELS.build(config.model)
    (dataset,) = config.train_dataloader.dataset.get('datasets', [config.train_dataloader.dataset])[
        :1
    ]
    assert issubclass(registry.DATASETS.get(dataset.type), BaseDataset)
    transforms = [registry.TRANSFORMS.build(step) for step in dataset.pipeline]
    if path.parent.name == 'pass':
        cut = next(step for step in transforms if hasattr(step, 'num_parts'))
        assert cut.num_parts == model.backbone.num_parts


@fine_tuning
def test_sizes_of_fine_tuning_agree(path):
    config = Config.fromfile(path)
    backbone, head = config.model.backbone, config.model.head
    with torch.device('meta'):
        model = registry.MODELS.build(config.model)
    assert head.in_channels == model.backbone.embed_dims
    assert model.head.num_parts == model.backbone.num_parts
    height, width = backbone.img_size
    assert path.stem.endswith('synthetic') or f'{height}x{width}' in path.stem
    loaders = [config.train_dataloader, config.val_dataloader]
    test = config.test_dataloader
    loaders += test if isinstance(test, list) else [test]
    for loader in loaders:
        for dataset in loader.dataset.get('datasets', [loader.dataset]):
            (resize,) = (step for step in dataset.pipeline if step.type == 'Resize')
            assert tuple(resize.scale) == (width, height)
            for crop in (step for step in dataset.pipeline if step.type == 'RandomCrop'):
                assert tuple(crop.crop_size) == (height, width)
            bicubic = dataset.get('split', 'train') == 'train'
            assert resize.interpolation == ('bicubic' if bicubic else 'bilinear')


def read_pipelines(config):
    """Yield the pipelines of all data sets, and those of hooks."""
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loaders = config.get(name) or []
        for loader in loaders if isinstance(loaders, list) else [loaders]:
            for dataset in loader.dataset.get('datasets', [loader.dataset]):
                yield dataset.pipeline
    if hook := config.default_hooks.get('pseudo_labels'):
        yield hook.pipeline


@leaves
def test_images_have_the_size_of_the_model(path, tmp_path, log, monkeypatch):
    monkeypatch.setattr('passreid.utils.messages._shown', set())
    cv2.imwrite(str(tmp_path / 'crop.png'), np.zeros((130, 60, 3), np.uint8))
    config = Config.fromfile(path)
    arch = dict(embed_dims=8, num_layers=1, num_heads=1, feedforward_channels=8)
    for pipeline in read_pipelines(config):
        backbone = registry.MODELS.build(dict(config.model.backbone, arch=arch))
        transforms = Compose([registry.TRANSFORMS.build(step) for step in pipeline])
        inputs = transforms(dict(img_path=str(tmp_path / 'crop.png'), gt_label=0))['inputs']
        if isinstance(inputs, dict):
            whole, local = (views.permute(0, 3, 1, 2) / 255 for views in inputs.values())
            backbone(whole)
            backbone(local, torch.zeros(len(local), dtype=int) if backbone.num_parts else None)
        else:
            backbone(inputs[None].float())
    assert 'pixels' not in log()
    backbone(torch.zeros(1, 3, 17, 16))
    assert '17x16 pixels' in log()


@clustering
def test_sizes_of_clustering_agree(path):
    config = Config.fromfile(path)
    backbone, neck = config.model.backbone, config.model.neck
    with torch.device('meta'):
        model = registry.MODELS.build(config.model)
    assert neck.in_channels == model.backbone.embed_dims
    assert len(model.neck.norms) == (1 + model.backbone.num_parts if neck.multi_neck else 1)
    assert neck.normalize
    width, height = backbone.img_size[::-1]
    hook = config.default_hooks.pseudo_labels
    for pipeline in (config.train_dataloader.dataset.pipeline, hook.pipeline):
        (resize,) = (step for step in pipeline if step.type == 'Resize')
        assert tuple(resize.scale) == (width, height)
    loader = config.train_dataloader
    assert loader.batch_size % loader.sampler.images_per_id == 0
    if config.val_dataloader:
        assert config.val_dataloader.dataset.pipeline == hook.pipeline
        for key in ('type', 'data_root'):
            assert config.val_dataloader.dataset[key] == loader.dataset[key]
            assert config.test_dataloader.dataset[key] == loader.dataset[key]


@pytest.mark.parametrize(
    'path', [path for path in CLUSTERING if path.parent.name == 'uda'], ids=lambda path: path.stem
)
def test_adaptation_changes_weights_and_neck_only(path):
    config = Config.fromfile(path)
    (base,) = config._get_base_files(str(path))
    unsupervised = Config.fromfile(path.parent / base)
    init_cfg = config.model.backbone.init_cfg
    assert init_cfg.checkpoint.startswith('work_dirs/vit-')
    assert config.model.neck.multi_neck
    config.model.backbone.init_cfg = unsupervised.model.backbone.init_cfg
    config.model.neck.multi_neck = unsupervised.model.neck.multi_neck
    config.pop('init_cfg')
    assert config.to_dict() == unsupervised.to_dict()
    folder, name, file = init_cfg.checkpoint.split('/')
    source = Config.fromfile(ROOT / 'supervised' / f'{name}.py')
    assert folder == 'work_dirs'
    assert file == f'epoch_{source.train_cfg.max_epochs}.pth'
    assert source.model.head.fusion == config.model.neck.fusion
    assert source.model.head.multi_neck
    for key in ('arch', 'patch_size', 'num_parts', 'img_size'):
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
    assert config.train_dataloader.dataset.type == dataset
    assert config.train_dataloader.batch_size == 256
    sampler = config.train_dataloader.sampler
    assert (sampler.images_per_id, sampler.iterations) == (8, 200)
    hook = dict(registry.HOOKS.build(config.default_hooks.pseudo_labels).settings)
    assert hook == dict(eps=eps, min_samples=4, k1=30, k2=6, search='exact')
    assert config.model.neck.to_dict() == dict(
        type='BNNeck', in_channels=384, fusion=fusion, multi_neck=False, normalize=True
    )
    assert config.model.memory.to_dict() == dict(
        type='ClusterMemory', temperature=0.05, momentum=0.2, use_hard=True
    )
    assert config.model.backbone.drop_path_rate == 0.3
    optimizer = dict(type='SGD', lr=3.5e-4, momentum=0.9, weight_decay=5e-4)
    assert config.optim_wrapper.optimizer.to_dict() == optimizer
    assert 'paramwise_cfg' not in config.optim_wrapper
    assert config.param_scheduler == [dict(type='StepLR', step_size=20, gamma=0.1)]
    assert config.train_cfg.max_epochs == 50
    erasing = config.model.data_preprocessor.erasing
    assert (erasing.mode, erasing.area) == ('constant', (0.02, 0.4))
    assert erasing.value == (0.485, 0.456, 0.406)


@fine_tuning
def test_pre_training_of_a_fine_tuning_config_is_there(path):
    checkpoint = Config.fromfile(path).model.backbone.init_cfg.checkpoint
    folder, name, file = checkpoint.split('/')
    assert (folder, file) == ('work_dirs', 'teacher_backbone.pth')
    source = Config.fromfile(ROOT / 'pass' / f'{name}.py').model.backbone
    backbone = Config.fromfile(path).model.backbone
    for key in ('arch', 'patch_size', 'num_parts'):
        assert source.get(key) == backbone.get(key), key


@pytest.mark.parametrize(
    ('name', 'width', 'batch'),
    [
        ('pass_vit-s16_lup', 384, 128),
        ('pass_vit-b16_lup', 768, 64),
        ('pass_vit-s16-ics_lup', 384, 128),
    ],
)
def test_published_sizes(name, width, batch):
    config = Config.fromfile(ROOT / 'pass' / f'{name}.py')
    with torch.device('meta'):
        model = registry.MODELS.build(config.model)
    assert model.backbone.embed_dims == width
    assert model.backbone.pos_embed.shape == (1, 16 * 8, width)
    assert len(model.backbone.layers) == 12
    assert [layer.weight.shape for layer in model.neck.prototypes] == [(65536, 256)] * 4
    assert config.train_dataloader.batch_size == batch
    rate = config.optim_wrapper.optimizer.lr / config.auto_scale_lr.base_batch_size
    assert rate * 1024 == pytest.approx(2e-3)

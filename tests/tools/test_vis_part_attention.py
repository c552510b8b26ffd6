from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from passreid.models import PartViT
from passreid.utils import register_all_modules

ARCH = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)
BACKBONE = dict(
    type='PartViT',
    arch=ARCH,
    img_size=(32, 16),
    patch_size=8,
    num_parts=2,
    init_cfg=dict(type='Pretrained', checkpoint='gone.pth'),
)
PREPROCESSOR = dict(type='ReIDDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, to_rgb=True)


@pytest.fixture
def tool(load_tool):
    return load_tool('visualization/vis_part_attention')


@pytest.fixture
def config():
    register_all_modules()
    model = dict(type='ImageClassifier', backbone=BACKBONE, data_preprocessor=PREPROCESSOR)
    return Config(dict(model=model))


@pytest.fixture
def trained():
    torch.manual_seed(0)
    settings = {key: value for key, value in BACKBONE.items() if key not in ('type', 'init_cfg')}
    model = PartViT(**settings)
    model.init_weights()
    model.eval()
    return model


@pytest.fixture
def folder(tmp_path):
    """Five images in the layout of Market-1501, of three people."""
    folder = tmp_path / 'query'
    folder.mkdir()
    names = ['0001_c1s1_1', '0001_c2s1_1', '0002_c1s1_1', '0003_c1s1_1', '0003_c3s1_1']
    for index, name in enumerate(names):
        cv2.imwrite(str(folder / f'{name}.png'), np.full((40, 20, 3), 30 * index, np.uint8))
    return folder


def saved(tmp_path, weights):
    path = tmp_path / 'weights.pth'
    torch.save(weights, path)
    return str(path)


def prefixed(model, prefix):
    return {f'{prefix}{key}': value for key, value in model.state_dict().items()}


@pytest.mark.parametrize('kind', ['bare', 'pre-trained'])
def test_every_checkpoint_fills_the_backbone(tool, config, trained, tmp_path, kind):
    other = prefixed(PartViT(ARCH, (32, 16), 2, patch_size=8), 'backbone.')
    weights = {
        'bare': trained.state_dict(),
        'pre-trained': dict(state_dict={**other, **prefixed(trained, 'teacher.backbone.')}),
    }[kind]
    backbone = tool.load_backbone(config, saved(tmp_path, weights))
    assert not backbone.training
    loaded = backbone.state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in trained.state_dict().items())


def test_what_does_not_fit_is_named(tool, config, trained, tmp_path):
    weights = prefixed(trained, 'backbone.')
    del weights['backbone.ln1.weight']
    with pytest.raises(ValueError, match=r'weights\.pth lacks ln1\.weight'):
        tool.load_backbone(config, saved(tmp_path, weights))
    config.model.backbone = dict(type='mmpretrain.ResNet', depth=18)
    with pytest.raises(TypeError, match='ResNet has no part tokens'):
        tool.load_backbone(config, saved(tmp_path, {}))


def test_images_and_their_attention(tool, config, trained, folder):
    paths = tool.choose_files([str(folder)], 2, seed=0)
    preprocessor = tool.MODELS.build(config.model.data_preprocessor)
    images, attention = tool.attend(trained, preprocessor, paths)
    assert attention.shape == (2, 3, 4, 2)
    for path, image, maps in zip(paths, images, attention, strict=True):
        assert np.array_equal(image, cv2.imread(path)[..., ::-1])
        pixels = torch.full((1, 3, 32, 16), image.flat[0] / 127.5 - 1)
        expected = trained.part_attention(pixels)[0].detach()
        np.testing.assert_allclose(maps, expected, atol=1e-6)


def test_choice_of_files(tool, folder):
    everything = tool.choose_files([str(folder)], 9, seed=0)
    assert everything == sorted(map(str, folder.iterdir()))
    some = tool.choose_files([str(folder)], 3, seed=0)
    assert len(set(some)) == 3 and some == sorted(some)
    assert tool.choose_files(everything[:1] * 2, 1, seed=0) == everything[:1] * 2
    (folder / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match='no images in .*empty'):
        tool.choose_files([str(folder / 'empty')], 1, seed=0)


def test_choice_of_people(tool, config, folder):
    for split in ('bounding_box_train', 'bounding_box_test'):
        (folder.parent / split).mkdir()
    dataset = dict(type='Market1501', data_root=str(folder.parent), split='test')
    config.test_dataloader = [dict(dataset=dataset)]
    paths = tool.choose_people(config, 'query', 2, seed=0)
    people = {Path(path).name[:4] for path in paths}
    assert len(people) == len(paths) == 2
    assert len(tool.choose_people(config, 'query', 9, seed=0)) == 3
    with pytest.raises(ValueError, match='has no test_dataloader'):
        tool.choose_people(Config(dict(model=config.model)), 'query', 1, seed=0)


def test_the_picture_is_written(run, config, trained, folder, tmp_path):
    config.dump('config.py')
    words = ['config.py', saved(tmp_path, trained.state_dict()), folder, '-n', 2, '--dpi', 50]
    assert '2 images' in run('visualization/vis_part_attention', *words, '--out', 'new/parts.png')
    assert cv2.imread('new/parts.png').std() > 10


@pytest.mark.parametrize('more', [[], ['a.png', '--split', 'query']])
def test_contradictory_arguments(run, more):
    with pytest.raises(SystemExit):
        run('visualization/vis_part_attention', 'c.py', 'w.pth', *more)

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from passreid.models import PartViT
from passreid.utils import register_all_modules

SIZES = dict(
    arch=dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32),
    img_size=(32, 16),
    patch_size=8,
    num_parts=2,
)
PREPROCESSOR = dict(type='ReIDDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, to_rgb=True)


@pytest.fixture(scope='module')
def trained():
    torch.manual_seed(0)
    model = PartViT(**SIZES)
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


@pytest.fixture
def draw(run, load_tool, monkeypatch, tmp_path):
    """Draw with weights and changes of the config; give what was drawn."""
    register_all_modules()
    program = load_tool('visualization/vis_part_attention')
    drawn, draw_part_attention = [], program.draw_part_attention
    monkeypatch.setattr(
        program,
        'draw_part_attention',
        lambda *args: drawn.append(args) or draw_part_attention(*args),
    )

    def call(weights, *options, **entries):
        backbone = dict(SIZES, type='PartViT', init_cfg=dict(type='Pretrained', checkpoint='gone'))
        model = dict(type='ImageClassifier', backbone=backbone, data_preprocessor=PREPROCESSOR)
        Config(dict(dict(model=model), **entries)).dump('config.py')
        torch.save(weights, tmp_path / 'weights.pth')
        words = ['config.py', tmp_path / 'weights.pth', *options, '--dpi', 50]
        run('visualization/vis_part_attention', *words, '--out', 'new/parts.png')
        assert cv2.imread('new/parts.png').std() > 10
        return drawn[-1]

    return call


def prefixed(model, prefix):
    return {f'{prefix}{key}': value for key, value in model.state_dict().items()}


@pytest.mark.parametrize('kind', ['bare', 'pre-trained'])
def test_images_and_their_attention(draw, trained, folder, kind):
    weights = trained.state_dict()
    if kind == 'pre-trained':
        student = prefixed(PartViT(**SIZES), 'backbone.')
        weights = dict(state_dict={**student, **prefixed(trained, 'teacher.backbone.')})
    images, attention, names = draw(weights, folder, '-n', 2)
    assert attention.shape == (2, 3, 4, 2)
    assert names == sorted(names)
    for name, image, maps in zip(names, images, attention, strict=True):
        assert np.array_equal(image, cv2.imread(str(folder / name))[..., ::-1])
        pixels = torch.full((1, 3, 32, 16), image.flat[0] / 127.5 - 1)
        expected = trained.part_attention(pixels)[0].detach()
        np.testing.assert_allclose(maps, expected, atol=1e-6)
    paths = sorted(folder.iterdir())
    assert draw(weights, paths[3], paths[0], '-n', 1)[2] == [paths[3].name, paths[0].name]


def test_one_image_of_each_person(draw, trained, folder):
    for split in ('bounding_box_train', 'bounding_box_test'):
        (folder.parent / split).mkdir()
    dataset = dict(type='Market1501', data_root=str(folder.parent), split='test')
    loader = [dict(dataset=dataset)]
    for number, found in ((2, 2), (9, 3)):
        options = '--split', 'query', '-n', number
        names = draw(trained.state_dict(), *options, test_dataloader=loader)[2]
        assert len({name[:4] for name in names}) == len(names) == found


def test_what_is_wrong_is_named(draw, trained, folder):
    weights = prefixed(trained, 'backbone.')
    with pytest.raises(ValueError, match='has no test_dataloader'):
        draw(weights, '--split', 'query')
    with pytest.raises(ValueError, match='no images .*empty'):
        Path('empty').mkdir()
        draw(weights, 'empty')
    del weights['backbone.ln1.weight']
    with pytest.raises(ValueError, match=r'weights\.pth lacks ln1\.weight'):
        draw(weights, folder)
    for more in ([], ['a.png', '--split', 'query']):
        with pytest.raises(SystemExit):
            draw(weights, *more)

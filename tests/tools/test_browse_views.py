import cv2
import numpy as np
import pytest
from mmengine.config import Config

from passreid.datasets.transforms import part_areas
from passreid.utils import register_all_modules

CONFIG = """
default_scope = 'passreid'
model = dict(data_preprocessor=dict(type='PASSDataPreprocessor', {preprocessor}))
train_dataloader = dict(dataset=dict(type='LUPerson', data_root={root!r}, pipeline={pipeline}))
"""
PIPELINE = [
    {'type': 'LoadPersonImage'},
    {'type': 'PartAwareMultiCrop', 'global_size': (32, 16), 'local_size': (16, 8), 'num_parts': 2},
    {'type': 'PackViews'},
]
OFF = (
    'flip_prob=0, jitter_prob=0, gray_prob=0, global_blur_prob=0, local_blur_prob=0, '
    'global_solarize_prob=0'
)


@pytest.fixture
def browse_views(load_tool):
    register_all_modules()
    return load_tool('visualization/browse_views')


@pytest.fixture
def write_config(tmp_path):
    def write(pipeline=PIPELINE, preprocessor=''):
        folder = tmp_path / 'images'
        folder.mkdir(exist_ok=True)
        for index in range(3):
            pixels = np.full((60, 24, 3), (30, 60, 90 + 40 * index), np.uint8)
            cv2.imwrite(str(folder / f'{index}.png'), pixels)
        path = tmp_path / 'config.py'
        path.write_text(
            CONFIG.format(root=str(folder), pipeline=pipeline, preprocessor=preprocessor)
        )
        return path

    return write


def test_sheet_is_written_with_a_row_for_each_image(run, write_config):
    heights = []
    for number in (1, 3):
        words = [write_config(), '--out', 'new/views.png', '-n', number, '--dpi', 40]
        assert f'{number} images' in run('visualization/browse_views', *words)
        heights.append(cv2.imread('new/views.png').shape[0])
    assert heights[1] - heights[0] == pytest.approx(2 * 3.6 * 40, abs=2)
    options = ['--cfg-options', 'train_dataloader.dataset.pipeline.1.num_parts=0']
    run('visualization/browse_views', *words, *options)


def test_views_are_the_denormalised_pixels_of_their_boxes(browse_views, write_config):
    cfg = Config.fromfile(write_config(preprocessor=OFF))
    images, num_parts = browse_views.make_views(cfg, seed=0, number=3)
    assert num_parts == 2
    reds = sorted(round(float(viewed.image[0, 0, 0] * 255)) for viewed in images)
    assert reds == [90, 130, 170]
    for viewed in images:
        assert viewed.views['global_views'].shape == (2, 32, 16, 3)
        assert viewed.views['local_views'].shape == (6, 16, 8, 3)
        for views in viewed.views.values():
            assert np.abs(views - viewed.image[0, 0]).max() < 1e-5
        areas = np.array(part_areas(60, 24, 2)).repeat(3, axis=0)
        for box, area in zip(viewed.boxes['local_views'], areas, strict=True):
            assert area[0] <= box[0] and box[0] + box[2] <= area[0] + area[2]


def test_pipelines_without_views_are_refused(run, write_config):
    config = write_config(pipeline=[{'type': 'LoadPersonImage'}, {'type': 'PackInputs'}])
    with pytest.raises(ValueError, match='no PackViews and no PartAwareMultiCrop'):
        run('visualization/browse_views', config)


def test_rendered_people(run):
    text = run('visualization/browse_synthetic', '--people', 2, '--pictures', 3, '--zoom', 1)
    assert '4 people, 3 pictures each' in text
    assert cv2.imread('synthetic.png').shape == (256, 6 * 64, 3)

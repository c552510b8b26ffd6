from pathlib import Path

import pytest
import torch
from tiny_runs import quick_start, reid_config, write_people

from passreid.apis import build_runner, prepare_test
from passreid.deployment import (
    ExportableModel,
    ExportedTestModel,
    export_program,
    export_torchscript,
    use_exported,
)
from passreid.registry import MODELS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module', autouse=True)
def quick():
    with quick_start():
        yield


@pytest.fixture(scope='module')
def people(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp('people'))


@pytest.fixture
def config(people, tmp_path):
    cfg = reid_config(ROOT, people, tmp_path / 'run')
    prepare_test(cfg, None)
    return cfg


@pytest.fixture
def exported(config, tmp_path):
    """Test a model in torch; give its figures and what tests a file of it."""

    def make(flip=False, **options):
        runner = build_runner(config)
        torch.manual_seed(0)
        runner.model.init_weights()
        path = tmp_path / 'model.pt'
        export_torchscript(ExportableModel(runner.model, flip=flip, **options), path)
        figures = runner.test()
        use_exported(config, path)
        return figures, build_runner(config)

    return make


@pytest.mark.parametrize('options', [{}, dict(raw_input=False), dict(normalize=False)])
def test_figures_are_those_of_torch(exported, options):
    figures, runner = exported(**options)
    assert runner.test() == pytest.approx(figures, abs=1e-4)
    assert 0 < figures['reid/mAP'] < 100


def test_mirror_images_of_the_file_count(exported):
    figures, runner = exported(flip=True)
    assert runner.test()['reid/mAP'] != pytest.approx(figures['reid/mAP'], abs=1e-3)


def test_is_no_model_to_train(exported):
    _, runner = exported()
    with pytest.raises(ValueError, match="no mode 'loss'"):
        runner.model(torch.zeros(1, 3, 32, 16), mode='loss')


def test_images_of_another_size(config, tmp_path):
    model = MODELS.build(config.model)
    export_program(ExportableModel(model, image_size=(64, 32)), tmp_path / 'model.pt2')
    wrapper = ExportedTestModel(str(tmp_path / 'model.pt2'), config.model.data_preprocessor)
    with pytest.raises(ValueError, match='takes images of 64x32 pixels'):
        wrapper.test_step(dict(inputs=[torch.zeros(3, 32, 16, dtype=torch.uint8)]))

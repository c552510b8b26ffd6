import re
import subprocess
import sys
from pathlib import Path

import mmpretrain
import pytest
import torch
import yaml
from mmengine.config import Config
from mmpretrain.apis import ModelHub

from passreid.models import PASS, ClusterContrast, PartViT
from passreid.registry import MODELS
from passreid.utils import config_path, register_all_modules
from passreid.utils.model_zoo import register_model_zoo

CONFIGS = config_path()
# Other ways to train or test a model that the zoo has; the last one has nothing but a folder.
VARIANTS = {
    'pass_vit-t8-watched_synthetic',
    'vit-s16_joint-256x128',
    'vit-s16_market1501-256x128_cross-domain',
    'usl_vit-s16_folder',
}
ENTRIES = [
    pytest.param(path.parent.name, entry, id=entry['Name'])
    for path in sorted(CONFIGS.glob('*/metafile.yml'))
    for entry in yaml.safe_load(path.read_text())['Models']
]
entries = pytest.mark.parametrize(('folder', 'entry'), ENTRIES)


@pytest.mark.slow
def test_importing_passreid_is_enough():
    program = """if True:
        import passreid, mmpretrain
        print(*mmpretrain.list_models('pass*'))
        print(type(mmpretrain.get_model('pass_vit-s16_lup')).__name__)
    """
    command = (sys.executable, '-W', 'ignore', '-c', program)
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    names, kind = done.stdout.splitlines()[-2:]
    assert names.split() == sorted(entry.values[1]['Name'] for entry in ENTRIES)
    assert kind == 'PASS'


def test_a_second_registration_changes_nothing():
    before = dict(ModelHub._models_dict)
    register_model_zoo()
    assert ModelHub._models_dict == before


def test_every_config_is_listed_once():
    listed = [entry.values[1]['Config'] for entry in ENTRIES]
    assert len(set(listed)) == len(listed)
    leaves = {path for path in CONFIGS.rglob('*.py') if '_base_' not in path.parts}
    assert {Path(path).stem for path in listed} == {path.stem for path in leaves} - VARIANTS
    assert all((CONFIGS.parent / path).is_file() for path in listed)


@entries
def test_figures_are_those_of_the_config(folder, entry):
    first = (CONFIGS.parent / entry['Config']).read_text().splitlines()[0]
    said = {kind: float(value) for value, kind in re.findall(r'(\d+\.\d) (mAP|Rank-1)', first)}
    source = entry['Metadata']['Figures']
    assert source in (
        'published by the authors',
        'reported by others',
        'measured by us',
        'none',
    )
    assert ('by others' in first) == (source == 'reported by others')
    assert bool(said) == (source in ('published by the authors', 'reported by others'))
    assert (source == 'none') == (entry['Results'] is None)
    if said:
        (result,) = entry['Results']
        assert result['Metrics'] == said
    # Nothing can be downloaded: no weights are published here.
    assert entry['Weights'] is None


@entries
def test_name_says_task_and_config(folder, entry):
    stem = Path(entry['Config']).stem
    prefix = {'pass': '', 'supervised': 'pass-supervised_'}.get(folder, 'pass-')
    assert entry['Name'] == prefix + stem


@pytest.mark.parametrize(
    ('name', 'kind'),
    [
        ('pass_vit-t8_synthetic', PASS),
        ('pass-supervised_vit-t8_synthetic', mmpretrain.models.ImageClassifier),
        ('pass-usl_vit-t8_synthetic', ClusterContrast),
        ('pass-uda_vit-t8_synthetic', ClusterContrast),
    ],
)
def test_model_of_mmpretrain(name, kind):
    model = mmpretrain.get_model(name)
    assert isinstance(model, kind) and isinstance(model.backbone, PartViT)
    assert not model.training
    assert model._metainfo.name == name


def test_model_of_mmpretrain_from_a_config_file():
    model = mmpretrain.get_model(config_path('supervised/vit-t8_synthetic.py'))
    (tokens,) = model.extract_feat(torch.rand(2, 3, 64, 32))
    assert tokens.shape == (2, 4, 128)


def test_entries_of_the_model_can_be_overridden():
    model = mmpretrain.get_model('pass-supervised_vit-t8_synthetic', head=dict(fusion='mean'))
    assert model.head.neck.out_channels == 128


@entries
def test_size_is_that_of_the_backbone(folder, entry):
    register_all_modules()
    backbone = Config.fromfile(CONFIGS.parent / entry['Config']).model.backbone
    with torch.device('meta'):
        built = MODELS.build(dict(backbone, init_cfg=None))
    assert sum(weight.numel() for weight in built.parameters()) == entry['Metadata']['Parameters']

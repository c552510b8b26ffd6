import re
from pathlib import Path

import mmpretrain
import pytest
import torch
import yaml
from mmengine.config import Config

from passreid.models import ClusterContrast, PartViT
from passreid.registry import MODELS
from passreid.utils import config, config_path
from passreid.utils.config import misspelt, register_model_zoo

CONFIGS = config_path()
LEAVES = [path for path in sorted(CONFIGS.rglob('*.py')) if '_base_' not in path.parts]
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


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package folder without configs, whose parent holds someone else's."""
    folder = tmp_path / 'site' / 'passreid'
    folder.mkdir(parents=True)
    (tmp_path / 'site' / 'configs').mkdir()
    monkeypatch.setattr(config, '__file__', str(folder / 'utils' / 'config.py'))
    return folder


def test_config_is_found():
    assert config_path('pass/pass_vit-s16_lup.py').is_file()
    with pytest.raises(FileNotFoundError, match=r"'pass/none\.py'.*pass/pass_vit-s16_lup\.py"):
        config_path('pass/none.py')


def test_wheel_holds_its_own(package):
    with pytest.raises(FileNotFoundError, match='passreid has no configs in'):
        config_path()
    (package / '.mim' / 'configs' / '_base_').mkdir(parents=True)
    assert config_path() == package / '.mim' / 'configs'


@pytest.mark.parametrize(
    ('word', 'name'),
    [
        ('trian_dataloader', 'train_dataloader'),
        ('train_dataloaders', 'train_dataloader'),
        ('load_form', 'load_from'),
        ('modle', 'model'),
        ('costum_hooks', 'custom_hooks'),
        ('auto_scale_Ir', 'auto_scale_lr'),
    ],
)
def test_misspelt_entries(word, name):
    assert misspelt([word, name]) == {word: name}


def test_variables_may_be_called_anything_else():
    assert misspelt(['data_root', 'num_ids', 'optimizer', 'train_pipeline', 'train_dataset']) == {}
    for path in LEAVES:
        cfg = Config.fromfile(path)
        assert misspelt({*cfg} - cfg._imported_names) == {}


def test_every_config_is_listed_once():
    listed = [entry.values[1]['Config'] for entry in ENTRIES]
    assert len(set(listed)) == len(listed)
    assert {Path(path).stem for path in listed} == {path.stem for path in LEAVES} - VARIANTS
    assert all((CONFIGS.parent / path).is_file() for path in listed)


@entries
def test_entry_is_that_of_its_config(folder, entry):
    stem = Path(entry['Config']).stem
    prefix = {'pass': '', 'supervised': 'pass-supervised_'}.get(folder, 'pass-')
    assert entry['Name'] == prefix + stem
    first = (CONFIGS.parent / entry['Config']).read_text().splitlines()[0]
    said = {kind: float(value) for value, kind in re.findall(r'(\d+\.\d) (mAP|Rank-1)', first)}
    source = entry['Metadata']['Figures']
    assert source in ('published by the authors', 'reported by others', 'measured by us', 'none')
    assert ('by others' in first) == (source == 'reported by others')
    assert bool(said) == (source in ('published by the authors', 'reported by others'))
    assert (source == 'none') == (entry['Results'] is None)
    if said:
        (result,) = entry['Results']
        assert result['Metrics'] == said
    # Nothing can be downloaded: no weights are published here.
    assert entry['Weights'] is None
    with torch.device('meta'):
        backbone = Config.fromfile(CONFIGS.parent / entry['Config']).model.backbone
        built = MODELS.build(dict(backbone, init_cfg=None, _scope_='passreid'))
    assert sum(weight.numel() for weight in built.parameters()) == entry['Metadata']['Parameters']


def test_model_of_mmpretrain():
    register_model_zoo()  # A second time.
    model = mmpretrain.get_model('pass-uda_vit-t8_synthetic')
    assert isinstance(model, ClusterContrast) and isinstance(model.backbone, PartViT)
    assert model._metainfo.name == 'pass-uda_vit-t8_synthetic'

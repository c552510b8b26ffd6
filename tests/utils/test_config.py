import argparse
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
from passreid.utils.config import add_run_options, apply_run_options, merge_options, misspelt

CONFIGS = config_path()
LEAVES = [path for path in sorted(CONFIGS.rglob('*.py')) if '_base_' not in path.parts]
# Other ways to train or test a model that the zoo has.
VARIANTS = {
    'pass_vit-t8-watched_synthetic',
    'vit-s16_joint-256x128',
    'vit-s16_market1501-256x128_cross-domain',
}
ENTRIES = [
    pytest.param(path.parent.name, entry, id=entry['Name'])
    for path in sorted(CONFIGS.glob('*/metafile.yml'))
    for entry in yaml.safe_load(path.read_text())['Models']
]
entries = pytest.mark.parametrize(('folder', 'entry'), ENTRIES)


@pytest.fixture
def parse():
    parser = argparse.ArgumentParser()
    add_run_options(parser)
    return lambda *options: parser.parse_args(options)


@pytest.fixture
def cfg():
    return Config.fromfile(CONFIGS / 'supervised' / 'vit-t8_synthetic.py')


def test_config_is_found():
    assert config_path('pass/pass_vit-s16_lup.py').is_file()
    with pytest.raises(FileNotFoundError, match=r"'pass/none\.py'.*pass/pass_vit-s16_lup\.py"):
        config_path('pass/none.py')


def test_wheel_holds_its_own(tmp_path, monkeypatch):
    """Beside the package of a wheel may be someone else's configs."""
    package = tmp_path / 'site' / 'passreid'
    (tmp_path / 'site' / 'configs').mkdir(parents=True)
    monkeypatch.setattr(config, '__file__', str(package / 'utils' / 'config.py'))
    with pytest.raises(FileNotFoundError, match=str(package)):
        config_path()
    (package / '.mim' / 'configs' / '_base_').mkdir(parents=True)
    assert config_path() == package / '.mim' / 'configs'


def test_misspelt_entries():
    meant = {
        'trian_dataloader': 'train_dataloader',
        'load_form': 'load_from',
        'modle': 'model',
        'auto_scale_Ir': 'auto_scale_lr',
    }
    variables = ['data_root', 'num_ids', 'optimizer', 'train_pipeline', 'train_dataset']
    assert misspelt([*variables, *meant, *meant.values()]) == meant
    for path in LEAVES:
        leaf = Config.fromfile(path)
        assert misspelt({*leaf} - leaf._imported_names) == {}


@pytest.mark.parametrize('option', ['model', 'a=dict(k1=10)'])
def test_malformed_option_ends_the_program(parse, option, capsys):
    with pytest.raises(SystemExit, match='2'):
        parse('--cfg-options', option)
    assert f'{option}: expected is KEY=VALUE' in capsys.readouterr().err


def test_options_of_runs(parse, cfg):
    options = ('resume=True', 'train_cfg.max_epochs=1')
    args = parse(
        '--work-dir', 'x', '--data-root', 'y', '--launcher', 'mpi', '--cfg-options', *options
    )
    apply_run_options(cfg, args)
    assert (cfg.work_dir, cfg.launcher, cfg.train_dataloader.dataset.data_root) == ('x', 'mpi', 'y')
    assert cfg.resume is True and cfg.train_cfg.max_epochs == 1
    cfg.test_dataloader = [{'dataset': {'data_root': 'elsewhere'}}]
    with pytest.raises(ValueError, match='--data-root y'):
        apply_run_options(cfg, parse('--data-root', 'y'))


def test_entries_are_overridden(parse, cfg):
    """In lists by number, in dicts that stand or not, and in the place of something else."""
    options = ['load_from=a=b.pth', 'param_scheduler.0.end=3', 'model.backbone.img_size=(384,128)']
    options += ['test_evaluator.rerank.k1=10', 'resume._delete_=True', 'resume.x=[1]']
    merge_options(cfg, parse('--cfg-options', *options).cfg_options)
    assert cfg.load_from == 'a=b.pth' and cfg.param_scheduler[0].end == 3
    assert cfg.model.backbone.img_size == (384, 128)
    assert cfg.test_evaluator.rerank == {'k1': 10} and cfg.resume == {'x': [1]}


@pytest.mark.parametrize(
    ('key', 'named'),
    [
        ('modle.type', "'modle'.*did you mean 'model'"),
        ('param_scheduler.3.end', 'param_scheduler.3.end=5'),
        ('default_scope.k1', 'default_scope.k1=5'),
        ('data_root', "'data_root'"),  # A variable, whose value has been used.
    ],
)
def test_keys_that_lead_nowhere(cfg, key, named):
    with pytest.raises(ValueError, match=f'--cfg-options.*{named}'):
        merge_options(cfg, {key: 5})


def test_every_config_is_listed_once():
    listed = [entry.values[1]['Config'] for entry in ENTRIES]
    assert len(set(listed)) == len(listed)
    # Those that end so have nothing but a folder.
    named = {path.stem for path in LEAVES if not path.stem.endswith('_folder')}
    assert {Path(path).stem for path in listed} == named - VARIANTS
    assert all((CONFIGS.parent / path).is_file() for path in listed)


@entries
def test_entry_is_that_of_its_config(folder, entry):
    stem = Path(entry['Config']).stem
    prefix = {'pass': '', 'supervised': 'pass-supervised_'}.get(folder, 'pass-')
    assert entry['Name'] == prefix + stem
    first = (CONFIGS.parent / entry['Config']).read_text().splitlines()[0]
    said = {kind: float(value) for value, kind in re.findall(r'(\d+\.\d) (mAP|Rank-1)', first)}
    source = entry['Metadata']['Figures']
    others = {
        name: f'published by the authors of {name}' for name in ('TransReID-SSL', 'PersonViT')
    }
    published = 'published by the authors', *others.values()
    assert source in (*published, 'reported by others', 'measured by us', 'none')
    assert ('by others' in first) == (source == 'reported by others')
    for name, theirs in others.items():
        assert (name in first) == (source == theirs)
        assert (entry['In Collection'].split()[0] == name) == (source == theirs)
    assert bool(said) == (source in (*published, 'reported by others'))
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
    model = mmpretrain.get_model('pass-uda_vit-t8_synthetic')
    assert isinstance(model, ClusterContrast) and isinstance(model.backbone, PartViT)
    assert model._metainfo.name == 'pass-uda_vit-t8_synthetic'

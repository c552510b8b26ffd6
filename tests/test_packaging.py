"""What the package says of itself, and that a wheel holds what it needs."""

import ast
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import passreid

ROOT = Path(__file__).parents[1]
PARTS = ('passreid', 'configs', 'tools', 'requirements')
FILES = (
    'setup.py',
    'pyproject.toml',
    'MANIFEST.in',
    'README.md',
    'CHANGELOG.md',
    'LICENSE',
    'model-index.yml',
)
EXTRAS = ('search', 'export', 'demo', 'optional')


def requirements(*names):
    """Return the names of the packages in requirements files."""
    files = [(ROOT / 'requirements' / f'{name}.txt').read_text() for name in names]
    found = re.findall(r'^[\w-]+', '\n'.join(files), re.MULTILINE)
    return {package.lower() for package in found}


def imported(*folders, at_once=False):
    """Return the top-level modules that files import, the standard library left out.

    With ``at_once`` those alone that importing the file imports.
    """
    found = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob('*.py')):
        tree = ast.parse(path.read_text())
        for node in tree.body if at_once else ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name.split('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module.split('.')[0])
    own = {path.stem for part in ('tests', 'tools') for path in (ROOT / part).rglob('*.py')}
    return found - own - {'passreid'} - set(sys.stdlib_module_names)


def undeclared(modules, packages):
    """Return the modules that none of the packages provides."""
    providers = packages_distributions()
    # Twins that provide the same module.
    twins = {
        'opencv-python-headless': 'opencv-python',
        'mmcv': 'mmcv-lite',
        'onedl-mmcv': 'mmcv-lite',
        'onedl-mmengine': 'mmengine',
        'onedl-mmpretrain': 'mmpretrain',
    }
    named = {m: {p.lower().replace('_', '-') for p in providers.get(m, [m])} for m in modules}
    return {m for m, found in named.items() if not {twins.get(p, p) for p in found} & packages}


def test_what_is_imported_is_installed():
    modules = imported('passreid', 'tools', at_once=True)
    assert undeclared(modules, requirements('mminstall', 'runtime')) == set()


def test_what_only_some_programs_import_is_an_extra():
    every = requirements('mminstall', 'runtime', *EXTRAS)
    assert undeclared(imported('passreid', 'tools'), every) == set()


def test_what_tests_import_is_installed():
    every = requirements('mminstall', 'runtime', 'tests', 'docs', *EXTRAS)
    assert undeclared(imported('tests'), every) == set()


def test_what_is_installed_is_used():
    modules = imported('passreid', 'tools')
    providers = packages_distributions()
    used = {package.lower() for module in modules for package in providers.get(module, [])}
    used |= {name.replace('_', '-') for name in used}
    assert requirements('runtime') - used <= {'opencv-python'}


def test_version_is_in_the_changelog():
    assert re.search(
        rf'^## {re.escape(passreid.__version__)}\b', (ROOT / 'CHANGELOG.md').read_text(), re.M
    )


def test_licence_is_complete():
    text = (ROOT / 'LICENSE').read_text()
    assert 'Version 2.0, January 2004' in text
    assert 'END OF TERMS AND CONDITIONS' in text
    assert 'Copyright 2026 The passreid authors' in text


def test_ci_runs_what_is_documented():
    called = re.findall(r'run_block (\S+) (\S+)', (ROOT / '.ci' / 'run').read_text())
    assert [name for _, name in called] == [
        'install',
        'no-display',
        'install-tests',
        'lint',
        'test',
        'second-stack',
        'test-slow',
    ]
    for page, name in called:
        marked = re.findall(
            rf'^<!-- ci: {name} -->\n```bash\n(.+?)```', (ROOT / page).read_text(), re.M | re.S
        )
        assert len(marked) == 1, f'{page}: {name}'


def run(*command, cwd):
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """A wheel, built from a source distribution of the files that belong to it."""
    folder = tmp_path_factory.mktemp('source')
    for part in PARTS:
        shutil.copytree(
            ROOT / part, folder / part, ignore=shutil.ignore_patterns('__pycache__', '.mim')
        )
    for file in FILES:
        shutil.copy(ROOT / file, folder)
    build = 'from setuptools import build_meta; print(build_meta.build_sdist("dist"))'
    run(sys.executable, '-c', build, cwd=folder)
    (source,) = (folder / 'dist').glob('passreid-*.tar.gz')
    pip = (sys.executable, '-m', 'pip', '--disable-pip-version-check')
    run(
        *pip,
        'wheel',
        '--no-deps',
        '--no-build-isolation',
        '-w',
        folder / 'dist',
        source,
        cwd=folder,
    )
    (built,) = (folder / 'dist').glob('passreid-*.whl')
    return built


@pytest.fixture(scope='module')
def installed(wheel, tmp_path_factory):
    """The Python of an environment that has the wheel, and sees the other packages of this one."""
    folder = tmp_path_factory.mktemp('environment')
    venv.create(folder, symlinks=True)
    python = folder / 'bin' / 'python'
    pip = (sys.executable, '-m', 'pip', '--disable-pip-version-check', '--python', python)
    run(*pip, 'install', '--no-deps', wheel, cwd=folder)
    (site,) = folder.glob('lib/python*/site-packages')
    # A line in a .pth file adds a folder without the .pth files in it: no editable passreid.
    (site / 'outer.pth').write_text(sysconfig.get_path('purelib') + '\n')
    return python


LOAD = """
import passreid
from mmengine.config import Config
from passreid.registry import DATASETS, HOOKS, MODELS, TRANSFORMS
from passreid.utils import config_path, register_all_modules

print(passreid.__file__)
path = config_path('pass/pass_vit-s16_lup.py')
print(path)
cfg = Config.fromfile(path)
register_all_modules()
assert MODELS.get(cfg.model.type).__module__.startswith('passreid.')
assert MODELS.get(cfg.model.backbone.type).__module__.startswith('passreid.')
assert DATASETS.get(cfg.train_dataloader.dataset.type) is not None
assert all(TRANSFORMS.get(step.type) for step in cfg.train_dataloader.dataset.pipeline)
assert all(HOOKS.get(hook.type) for hook in cfg.custom_hooks)
"""


@pytest.mark.slow
def test_installed_wheel_finds_its_configs(installed, tmp_path):
    module, config = run(installed, '-W', 'ignore', '-c', LOAD, cwd=tmp_path).splitlines()[-2:]
    site = installed.parents[1]
    assert Path(module).is_relative_to(site)
    assert Path(config).is_relative_to(Path(module).parent / '.mim' / 'configs')


@pytest.mark.slow
def test_installed_wheel_has_the_programs(installed, tmp_path):
    (program,) = installed.parents[1].glob('lib/python*/site-packages/passreid/.mim/tools/train.py')
    assert '--cfg-options' in run(installed, '-W', 'ignore', program, '--help', cwd=tmp_path)


USE = """
from pathlib import Path

import cv2
import mmpretrain
import numpy as np

import passreid
from passreid.apis import build_runner, load_config
from passreid.utils import config_path

assert 'pass_vit-s16_lup' in mmpretrain.list_models('pass*')
config = config_path('supervised/vit-t8_synthetic.py')
cfg = load_config(config)
people = dict(image_size=(64, 32), train_ids=4, test_ids=4, unlabelled_ids=1)
for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
    loader.dataset.update(settings=people)
    loader.update(num_workers=0, persistent_workers=False)
cfg.train_dataloader.update(batch_size=8)
cfg.train_dataloader.dataset.pop('indices')
cfg.model.backbone.init_cfg = None
cfg.train_cfg.update(max_epochs=1, val_interval=1)
cfg.work_dir = 'work'
build_runner(cfg).train()
weights = Path('work') / 'epoch_1.pth'

images = sorted(Path('data').glob('synthetic/a/*/query/*'))
model = passreid.get_model('pass-supervised_vit-t8_synthetic', pretrained=weights)
assert type(model.backbone).__module__ == 'passreid.models.backbones.part_vit'
inferencer = passreid.ReIDInferencer(config, weights, gallery=str(images[0].parent))
(matches,) = inferencer(cv2.imread(str(images[0])), topk=2)
assert Path(matches[0].record.path).name == images[0].name
assert abs(matches[0].similarity - 1) < 1e-5
print('found')
"""


@pytest.mark.slow
def test_installed_wheel_trains_and_searches(installed, tmp_path):
    assert run(installed, '-W', 'ignore', '-c', USE, cwd=tmp_path).endswith('found\n')

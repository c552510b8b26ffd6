"""What the package says of itself, and that a wheel holds what it needs."""

import ast
import os
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
FILES = ('setup.py', 'pyproject.toml', 'MANIFEST.in', 'README.md', 'LICENSE', 'model-index.yml')
# Distributions that provide the same modules.
TWINS = {
    'opencv-python-headless': 'opencv-python',
    'mmcv': 'mmcv-lite',
    'onedl-mmcv': 'mmcv-lite',
    'onedl-mmengine': 'mmengine',
    'onedl-mmpretrain': 'mmpretrain',
}
# Of the AGPL: they stay in an environment of their own.
TRACKERS = 'boxmot', 'ultralytics'
PROVIDERS = {
    module: {TWINS.get(name, name) for name in (p.lower().replace('_', '-') for p in packages)}
    for module, packages in packages_distributions().items()
}


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
    return found - own - {'passreid', *TRACKERS} - set(sys.stdlib_module_names)


def test_what_is_imported_is_installed_and_the_other_way_round():
    core = requirements('mminstall', 'runtime')
    extras = core | requirements('search', 'export', 'tracks', 'demo', 'optional')
    for modules, packages in (
        (imported('passreid', 'tools', at_once=True), core),
        (imported('passreid', 'tools'), extras),
        (imported('tests'), extras | requirements('tests', 'docs')),
    ):
        assert {name for name in modules if not PROVIDERS.get(name, {name}) & packages} == set()
    used = set().union(*(PROVIDERS.get(name, set()) for name in imported('passreid', 'tools')))
    assert requirements('runtime') - used == set()


def test_version_is_in_the_changelog():
    assert f'\n## {passreid.__version__} ' in (ROOT / 'CHANGELOG.md').read_text()


def test_ci_runs_what_is_documented():
    called = re.findall(r'run_block (\S+) (\S+)', (ROOT / '.ci' / 'run').read_text())
    names = ['install', 'test', 'lint', 'second-stack', 'test-slow']
    assert [name for _, name in called] == names
    for page, name in called:
        block = rf'^<!-- ci: {name} -->\n```bash\n.+?```'
        assert len(re.findall(block, (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)) == 1


def run(*command, cwd):
    env = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    """The Python of an environment that has a wheel, and sees the other packages of this one."""
    source, folder = (tmp_path_factory.mktemp(name) for name in ('source', 'environment'))
    for part in PARTS:
        ignore = shutil.ignore_patterns('__pycache__', '.mim')
        shutil.copytree(ROOT / part, source / part, ignore=ignore)
    for file in FILES:
        shutil.copy(ROOT / file, source)
    build = 'from setuptools import build_meta; print(build_meta.build_sdist("dist"))'
    run(sys.executable, '-c', build, cwd=source)
    (archive,) = (source / 'dist').glob('passreid-*.tar.gz')
    pip = (sys.executable, '-m', 'pip', '--disable-pip-version-check')
    options = ('--no-deps', '--no-build-isolation', '-w', source / 'dist')
    run(*pip, 'wheel', *options, archive, cwd=source)
    (wheel,) = (source / 'dist').glob('passreid-*.whl')
    venv.create(folder, symlinks=True)
    python = folder / 'bin' / 'python'
    run(*pip, '--python', python, 'install', '--no-deps', wheel, cwd=folder)
    (site,) = folder.glob('lib/python*/site-packages')
    # A line in a .pth file adds a folder without the .pth files in it: no editable passreid.
    (site / 'outer.pth').write_text(sysconfig.get_path('purelib') + '\n')
    return python


USE = """
from pathlib import Path

import cv2
import mmpretrain

import passreid
from passreid.apis import build_runner, load_config
from passreid.utils import config_path

package = Path(passreid.__file__).parent
assert 'site-packages' in package.parts
config = config_path('supervised/vit-t8_synthetic.py')
assert Path(config).is_relative_to(package / '.mim' / 'configs')
assert (package / '.mim' / 'tools' / 'train.py').is_file()
assert 'pass_vit-s16_lup' in mmpretrain.list_models('pass*')

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

"""The direction of imports inside the package, read from its source."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import passreid

ROOT = Path(passreid.__file__).parent
NAME = ROOT.name

# What may not import what. A name stands for the module and everything below it.
FORBIDDEN = {
    'clustering': [''],
    'rendering': [''],
    'registry': [''],
    'utils': ['apis', 'clustering', 'datasets', 'engine', 'evaluation', 'models', 'visualization'],
    'models': ['apis', 'datasets', 'engine', 'evaluation'],
    'engine': ['apis', 'models'],
    'datasets': ['apis', 'engine', 'evaluation', 'models'],
    'evaluation': ['apis', 'datasets', 'engine', 'models'],
    'visualization': ['apis', 'engine', 'models'],
    'search': ['apis', 'clustering', 'datasets', 'engine', 'evaluation', 'models', 'visualization'],
    'deployment': ['apis', 'datasets', 'engine', 'evaluation'],
}
# Exceptions to a ban on everything: modules of the same name, and these.
ONLY = {'evaluation.functional': ['clustering', 'evaluation.functional']}


def read_imports(root):
    """Return the modules of a package and what each imports of it, without its name."""
    files = {
        '.'.join(path.relative_to(root).with_suffix('').parts)
        .removesuffix('__init__')
        .strip('.'): path
        for path in root.rglob('*.py')
    }
    return {module: _imported(module, path, files, root.name) for module, path in files.items()}


def _imported(module, path, modules, name):
    found = set()
    package = module.split('.') if path.name == '__init__.py' else module.split('.')[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ''
            if node.level:
                above = [part for part in package if part][: len(package) - node.level + 1]
                base = '.'.join([name, *above, *([base] if base else [])])
            targets = [f'{base}.{alias.name}' for alias in node.names]
        else:
            continue
        for target in targets:
            first, _, inner = target.partition('.')
            if first == name:
                found.add(_nearest(inner, modules))
    return found - {module}


def _nearest(target, modules):
    """Return the module a dotted name lies in."""
    while target not in modules:
        target = target.rpartition('.')[0]
    return target


def _is_in(module, package):
    return package == '' or module == package or module.startswith(f'{package}.')


def violations(imports):
    """Return the imports that go against the arrows as (importer, imported)."""
    found = []
    for module, targets in imports.items():
        for target in targets:
            own = [source for source in FORBIDDEN if _is_in(module, source)]
            banned = any(
                _is_in(target, goal) and not _is_in(target, source)
                for source in own
                for goal in FORBIDDEN[source]
            )
            only = [goals for source, goals in ONLY.items() if _is_in(module, source)]
            stray = any(not any(_is_in(target, goal) for goal in goals) for goals in only)
            if banned or stray:
                found.append((module, target))
    return found


def circle(imports):
    """Return the modules of a circle, or nothing. A package also stands for its parts."""
    try:
        tuple(TopologicalSorter(imports).static_order())
    except CycleError as error:
        return error.args[1]
    return []


def between_packages(imports):
    """Return the imports between the top-level parts of the package."""
    parts = {}
    for module, targets in imports.items():
        part = module.split('.')[0]
        parts.setdefault(part, set()).update(target.split('.')[0] for target in targets)
    return {part: targets - {part} for part, targets in parts.items()}


@pytest.fixture
def package(tmp_path):
    def write(**sources):
        for name, source in sources.items():
            path = tmp_path / 'toy' / f'{name.replace("__", "/")}.py'
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)
            for folder in path.relative_to(tmp_path).parents:
                if folder.name:
                    (tmp_path / folder / '__init__.py').touch()
        return read_imports(tmp_path / 'toy')

    return write


def test_imports_follow_the_arrows():
    assert violations(read_imports(ROOT)) == []


def test_modules_form_no_circle():
    assert circle(read_imports(ROOT)) == []


def test_packages_form_no_circle():
    assert circle(between_packages(read_imports(ROOT))) == []


def test_the_reader_sees_this_package():
    imports = read_imports(ROOT)
    assert 'registry' in imports['engine.hooks.teacher_hook']
    assert 'apis.fit_config' in imports['apis.build_runner']
    assert 'engine.hooks' in imports['engine']


@pytest.mark.parametrize(
    ('module', 'source', 'target'),
    [
        ('models__vit', 'import toy.engine.hooks', 'engine.hooks'),
        ('models__vit', 'from toy.datasets import Market', 'datasets'),
        ('models__vit', 'from ..evaluation import metric', 'evaluation'),
        ('engine__loop', 'from toy import models', 'models'),
        ('engine__loop', 'def late():\n    from ..models import vit', 'models'),
        ('clustering__jaccard', 'from ..utils import device', 'utils'),
        ('evaluation__functional__rank', 'from ...utils import device', 'utils'),
        ('utils__device', 'from .. import models', 'models'),
    ],
)
def test_violations_are_caught(package, module, source, target):
    first, *inner = target.split('.')
    other = '__'.join([first, *inner]) + '__part'
    imports = package(**{module: source, other: ''})
    assert violations(imports) == [(module.replace('__', '.'), target)]


@pytest.mark.parametrize(
    ('module', 'source'),
    [
        ('models__vit', 'from ..utils import part'),
        ('apis__train', 'from toy.models import part'),
        ('evaluation__functional__rank', 'from toy.clustering import part\nimport torch'),
        ('clustering__jaccard', 'from . import part\nfrom numpy import models'),
    ],
)
def test_allowed_imports_are_not(package, module, source):
    parts = ('utils', 'models', 'clustering', 'engine')
    imports = package(**{module: source}, **{f'{part}__part': '' for part in parts})
    assert violations(imports) == []


def test_circles_are_caught(package):
    imports = package(datasets__a='from ..utils import b', utils__b='from toy.datasets import a')
    assert set(circle(imports)) == {'datasets.a', 'utils.b'}
    packages = package(utils__c='import toy.visualization.d', visualization__d='import toy.utils.b')
    assert set(circle(between_packages(packages))) >= {'utils', 'visualization'}

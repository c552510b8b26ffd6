"""The direction of imports inside the package, read from its source."""

import ast
from graphlib import TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import pytest

import passreid

ROOT = Path(passreid.__file__).parent

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
    'tracks': ['apis', 'clustering', 'engine', 'evaluation', 'models', 'search', 'visualization'],
    'deployment': ['apis', 'datasets', 'engine', 'evaluation'],
}
# What may import these alone.
ONLY = {'evaluation.functional': ['clustering', 'evaluation.functional']}


def read_imports():
    """Return the modules of the package and what each imports of it, without its name."""
    modules = {}
    for path in ROOT.rglob('*.py'):
        parts = path.relative_to(ROOT.parent).with_suffix('').parts
        modules['.'.join(parts).removesuffix('.__init__')] = path
    found = {module: _imported(module, path, modules) for module, path in modules.items()}
    short = {module: module.partition('.')[2] for module in modules}
    return {short[module]: {short[one] for one in targets} for module, targets in found.items()}


def _imported(module, path, modules):
    package = module if path.name == '__init__.py' else module.rpartition('.')[0]
    targets, found = [], set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            targets += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name('.' * node.level + (node.module or ''), package)
            targets += [f'{base}.{alias.name}' for alias in node.names]
    for target in targets:
        # The module that the name lies in; none of another package.
        while target and target not in modules:
            target = target.rpartition('.')[0]
        found.add(target)
    return found - {module, ''}


def _is_in(module, *packages):
    return any(f'{module}.'.startswith(f'{package}.' if package else '') for package in packages)


def violations(imports):
    """Return the imports that go against the arrows as (importer, imported)."""

    def banned(module, target):
        forbidden = any(
            _is_in(module, source) and not _is_in(target, source) and _is_in(target, *goals)
            for source, goals in FORBIDDEN.items()
        )
        only = [goals for source, goals in ONLY.items() if _is_in(module, source)]
        return forbidden or any(not _is_in(target, *goals) for goals in only)

    pairs = ((module, target) for module, targets in imports.items() for target in targets)
    return [pair for pair in pairs if banned(*pair)]


@pytest.fixture(scope='module')
def imports():
    return read_imports()


def test_imports_follow_the_arrows(imports):
    assert violations(imports) == []


def test_there_is_no_cycle(imports):
    # static_order raises CycleError.
    assert tuple(TopologicalSorter(imports).static_order())
    parts = {}
    for module, targets in imports.items():
        part = module.split('.')[0]
        parts.setdefault(part, set()).update({target.split('.')[0] for target in targets} - {part})
    assert tuple(TopologicalSorter(parts).static_order())


def test_violations_are_caught(imports):
    assert 'registry' in imports['engine.hooks.pretraining_hooks']
    assert 'engine.hooks' in imports['engine']
    wrong = {'models.vit': {'engine.hooks'}, 'evaluation.functional.rank': {'utils'}}
    right = {'models.head': {'utils'}, 'evaluation.functional.scores': {'clustering.jaccard'}}
    assert len(violations(wrong | right)) == 2

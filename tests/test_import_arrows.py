"""The direction of imports inside the package, read from its source."""

import ast
from graphlib import TopologicalSorter
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
    'deployment': ['apis', 'datasets', 'engine', 'evaluation'],
}
# What may import these alone.
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
                # The module that the name lies in.
                while inner not in modules:
                    inner = inner.rpartition('.')[0]
                found.add(inner)
    return found - {module}


def _is_in(module, package):
    return package == '' or module == package or module.startswith(f'{package}.')


def violations(imports):
    """Return the imports that go against the arrows as (importer, imported)."""

    def banned(module, target):
        own = [source for source in FORBIDDEN if _is_in(module, source)]
        goals = [(source, goal) for source in own for goal in FORBIDDEN[source]]
        only = [goals for source, goals in ONLY.items() if _is_in(module, source)]
        return any(
            _is_in(target, goal) and not _is_in(target, source) for source, goal in goals
        ) or any(not any(_is_in(target, goal) for goal in goals) for goals in only)

    pairs = ((module, target) for module, targets in imports.items() for target in targets)
    return [pair for pair in pairs if banned(*pair)]


@pytest.fixture(scope='module')
def imports():
    return read_imports(ROOT)


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
    wrong = {
        'models.vit': {'engine.hooks'},
        'engine.loop': {'models'},
        'clustering.jaccard': {'utils'},
        'evaluation.functional.rank': {'utils'},
    }
    right = {'models.head': {'utils'}, 'evaluation.functional.scores': {'clustering.jaccard'}}
    expected = [(module, target) for module, (target,) in wrong.items()]
    assert violations(wrong | right) == expected

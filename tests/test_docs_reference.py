"""The pages that list what there is name all of it: public names, and models of the zoo."""

import importlib
import inspect
import re

import pytest
import yaml
from documentation import ROOT

API_PAGES = sorted((ROOT / 'docs' / 'api').glob('*.md'))
ZOO = (ROOT / 'docs' / 'model_zoo.md').read_text()
MODELS = [
    pytest.param(model, id=model['Name'])
    for path in sorted((ROOT / 'configs').glob('*/metafile.yml'))
    for model in yaml.safe_load(path.read_text())['Models']
]


def public_names(package):
    """List the classes and functions of ours that a package offers."""
    module = importlib.import_module(package)
    names = getattr(module, '__all__', vars(module))
    found = {name: getattr(module, name) for name in names if not name.startswith('_')}
    return {
        f'{package}.{name}'
        for name, value in found.items()
        if (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__.startswith('passreid.')
    }


@pytest.mark.parametrize('page', API_PAGES, ids=lambda page: page.stem)
def test_page_lists_what_its_packages_offer(page):
    text = page.read_text()
    packages = re.findall(r'^`(passreid\.\S+)`:$', text, re.MULTILINE)
    listed = re.findall(r'^::: (\S+)$', text, re.MULTILINE)
    assert packages and len(listed) == len(set(listed))
    assert set(listed) == set().union(*map(public_names, packages))


def test_every_page_is_in_the_site():
    nav = (ROOT / 'mkdocs.yml').read_text()
    for page in (ROOT / 'docs').rglob('*.md'):
        assert f': {page.relative_to(ROOT / "docs")}\n' in nav


@pytest.mark.parametrize('model', MODELS)
def test_zoo_shows_the_metafile(model):
    (row,) = re.findall(rf'^\| `{re.escape(model["Name"])}` \| (.+) \|$', ZOO, re.MULTILINE)
    trained, tested, figures, source, size = row.split(' | ')
    metadata = model['Metadata']
    assert (trained, source) == (metadata['Training Data'], metadata['Figures'])
    flops, parameters = metadata['FLOPs'] / 1e9, metadata['Parameters'] / 1e6
    assert size == f'{parameters:.1f} M, {flops:.2f} G'
    if model['Results'] is None:
        assert (tested, figures) == ('none', 'none')
        return
    (result,) = model['Results']
    shown = (str(result['Metrics'].get(name, '-')) for name in ('mAP', 'Rank-1'))
    assert (tested, figures) == (result['Dataset'], ' / '.join(shown))


def test_zoo_shows_nothing_else():
    assert len(re.findall(r'^\| `pass', ZOO, re.MULTILINE)) == len(MODELS)

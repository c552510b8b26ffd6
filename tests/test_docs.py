"""What the documentation shows is there, is accepted, and names all that there is."""

import ast
import importlib
import inspect
import re

import pytest
import timm
import torch
import yaml
from documentation import (
    PAGES,
    ROOT,
    anchors,
    commands,
    links,
    load_arguments,
    marked_block,
    read_blocks,
)
from mmengine.config import Config
from mmpretrain.structures import DataSample

from passreid.apis import load_config
from passreid.models.converters import part_vit_key
from passreid.registry import DATASETS, MODELS
from passreid.utils import config_path, register_all_modules

DOCS = ROOT / 'docs'
API_PAGES = sorted((DOCS / 'api').glob('*.md'))
COMMANDS = [
    pytest.param(words, id=f'{page.stem}-{number}')
    for page in PAGES
    for number, words in enumerate(commands(page))
]
ZOO = (DOCS / 'model_zoo.md').read_text()
METAFILES = [
    pytest.param(model, id=model['Name'])
    for path in sorted((ROOT / 'configs').glob('*/metafile.yml'))
    for model in yaml.safe_load(path.read_text())['Models']
]
LOSSES = re.findall(
    r'^\| .* \| `((?:id|metric)_loss=.*)` \|$', (DOCS / 'finetune.md').read_text(), re.MULTILINE
)


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.stem)
def test_links_and_imports_lead_somewhere(page):
    for target in links(page):
        path, _, anchor = target.partition('#')
        goal = page.parent / path if path else page
        assert goal.exists(), f'{page.name} links to {target}'
        assert not anchor or anchor in anchors(goal), f'{page.name} links to {target}'
    for block in read_blocks(page):
        nodes = ast.walk(ast.parse(block.text)) if block.language == 'python' else ()
        for node in nodes:
            if isinstance(node, ast.ImportFrom) and not node.level:
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names)


def test_pages_are_in_the_site_and_tables_are_whole():
    assert len(LOSSES) == 8
    assert len(re.findall(r'^\| `pass', ZOO, re.MULTILINE)) == len(METAFILES)
    nav = (ROOT / 'mkdocs.yml').read_text()
    for page in DOCS.rglob('*.md'):
        assert f': {page.relative_to(DOCS)}\n' in nav


@pytest.mark.parametrize('words', COMMANDS)
def test_command_is_accepted(words, monkeypatch):
    words = [word for word in words if not re.match(r'[A-Z_]+=', word)]
    program, *arguments = words[1:]
    assert (ROOT / program).is_file()
    if program.endswith('.sh'):
        # Of what precedes the options, config and checkpoint are for the program.
        option = next((n for n, a in enumerate(arguments) if a.startswith('--')), len(arguments))
        files = [a for a in arguments[:option] if a.endswith(('.py', '.pth'))]
        arguments = files + arguments[option:]
        program = 'tools/test.py' if 'test' in program else 'tools/train.py'
    args = load_arguments(program, arguments, monkeypatch)
    if 'cfg_options' in args and args.config != 'CONFIG':
        config = load_config(ROOT / args.config)
        for key in args.cfg_options or {}:
            node = config
            for part in key.split('.')[:-1]:
                node = node[int(part) if isinstance(node, list) else part]
        config.merge_from_dict(args.cfg_options or {})


def test_readme_is_short_and_has_the_main_command():
    assert len((ROOT / 'README.md').read_bytes()) <= 8192
    train = ['python', 'tools/train.py', 'configs/pass/pass_vit-s16_lup.py']
    assert train in commands(ROOT / 'README.md')
    assert len(COMMANDS) > 60


def test_own_class_of_a_data_set(tmp_path):
    for name in ('0001_2_77.jpg', '0005_1_78.jpg'):
        path = tmp_path / 'train' / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    names = {}
    exec(marked_block(DOCS / 'datasets.md', 'own-class'), names)
    try:
        samples = names['Gate'](str(tmp_path)).load_data_list()
    finally:
        names['DATASETS'].module_dict.pop('Gate')
    assert [(sample['gt_label'], sample['cam_id']) for sample in samples] == [(0, 1), (1, 0)]


def test_own_config_of_a_data_set(tmp_path):
    for path in ('train/0007_c2_000123.jpg', 'query/0008_c1_1.jpg', 'gallery/0008_c2_1.jpg'):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    text = marked_block(DOCS / 'datasets.md', 'own-data-set')
    text = text.replace("'./", f"'{config_path('_base_/datasets')}/")
    (tmp_path / 'my_crops.py').write_text(text.replace('data/my_crops', str(tmp_path)))
    config = Config.fromfile(tmp_path / 'my_crops.py')
    found = []
    for loader in (config.train_dataloader, config.test_dataloader):
        loader.dataset.pipeline = []
        samples = DATASETS.build(loader.dataset)
        found.append([(sample['gt_label'], sample['cam_id']) for sample in samples])
    assert len(found[0]) == 1 and found[0][0][0] == 0
    query, gallery = found[1]
    assert query[0] == gallery[0] and query[1] != gallery[1]


def test_config_of_clip(tmp_path):
    """It has all that the weights of its name have, and what they do not show."""
    text = marked_block(DOCS / 'weights.md', 'clip')
    text = text.replace("'./", f"'{config_path('supervised')}/")
    (tmp_path / 'clip.py').write_text(text)
    config = load_config(tmp_path / 'clip.py').model
    name = config.backbone.init_cfg.checkpoint.removeprefix('timm://')
    with torch.device('meta'):
        vit, own = timm.create_model(name, num_classes=0), MODELS.build(config).backbone
    weights = {part_vit_key(name): value.shape for name, value in vit.state_dict().items()}
    weights.pop('pos_embed')
    assert (
        weights.items() <= {name: value.shape for name, value in own.state_dict().items()}.items()
    )
    assert own.layers[0].ln1.eps == vit.blocks[0].norm1.eps
    assert type(own.layers[0].ffn.layers[0][1]).__name__ == 'QuickGELU'
    for ours, theirs in (('mean', vit.pretrained_cfg['mean']), ('std', vit.pretrained_cfg['std'])):
        assert [value / 255 for value in config.data_preprocessor[ours]] == pytest.approx(
            theirs, 1e-4
        )


@pytest.mark.parametrize('entry', LOSSES)
def test_loss_of_the_table_trains(entry):
    register_all_modules()
    losses = eval(f'dict({entry})')
    head = MODELS.build(dict(type='ReIDHead', in_channels=8, num_classes=3, **losses))
    tokens = torch.randn(6, 4, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    samples = [DataSample().set_gt_label(image // 2) for image in range(6)]
    figures = head.loss((tokens,), samples)
    sum(value for name, value in figures.items() if 'loss' in name).backward()
    assert tokens.grad.isfinite().all() and tokens.grad.norm() > 0
    ((name, loss),) = losses.items()
    built = getattr(head, name)
    assert (built and type(built).__name__) == (loss and loss['type'])


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
def test_api_page_lists_what_its_packages_offer(page):
    text = page.read_text()
    packages = re.findall(r'^`(passreid\.\S+)`:$', text, re.MULTILINE)
    listed = re.findall(r'^::: (\S+)$', text, re.MULTILINE)
    assert packages and len(listed) == len(set(listed))
    assert set(listed) == set().union(*map(public_names, packages))


@pytest.mark.parametrize('model', METAFILES)
def test_zoo_shows_the_metafile(model):
    (row,) = re.findall(rf'^\| `{re.escape(model["Name"])}` \| (.+) \|$', ZOO, re.MULTILINE)
    trained, tested, figures, source, size = row.split(' | ')
    metadata = model['Metadata']
    assert (trained, source) == (metadata['Training Data'], metadata['Figures'])
    flops, parameters = metadata['FLOPs'] / 1e9, metadata['Parameters'] / 1e6
    assert size == f'{parameters:.1f} M, {flops:.2f} G'
    results = model['Results'] or [{'Dataset': 'none', 'Metrics': {}}]
    metrics = results[0]['Metrics']
    assert tested == results[0]['Dataset']
    shown = ' / '.join(str(metrics.get(name, '-')) for name in ('mAP', 'Rank-1'))
    assert figures == (shown if metrics else 'none')
    # The first line of a config has the published figures.
    comment = (ROOT / model['Config']).read_text().splitlines()[0]
    figures = {kind: float(value) for value, kind in re.findall(r'(\d+\.\d) (mAP|Rank-1)', comment)}
    assert figures == (metrics if source != 'measured by us' else {})
